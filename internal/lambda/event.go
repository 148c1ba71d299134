package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Form is who sent an event, which decides how it is answered.
type Form string

// The forms.
const (
	Direct    Form = "direct"    // by hand, by the API, by a schedule, by a rule: the answer is one object
	HTTP      Form = "http"      // a function URL: the answer is a response with status and body
	Queue     Form = "queue"     // SQS: the answer lists the messages that are to come again
	Broadcast Form = "broadcast" // SNS and S3 notifications: nobody reads the answer
)

// Event is an event read.
type Event struct {
	Form Form
	// Items are what it asks for, in order; an event of several records has several.
	Items []Item
	// Ignored says of each record that asks for nothing why it does not.
	Ignored []string
}

// Item is one request of an event, or what is wrong with it.
type Item struct {
	Request Request
	Message string // of a queue: the message's id
	Err     error  // not nil: this one cannot be followed
}

// deepest is how many wrappings there may be around a request: a rule into a topic into a queue are three.
const deepest = 5

// Decode reads an event in any of the forms in which Lambda hands one over. Its error says that nothing of it can be
// followed. Of wrappings it reads what it needs and no more, so that fields that AWS adds, or an imitation leaves out, do
// no harm; of a request itself an unknown field is an error, since a misspelt environment would be another one.
func Decode(payload []byte) (Event, error) {
	return decode(payload, deepest)
}

// envelope has the fields by which the forms are told apart.
type envelope struct {
	Records        []json.RawMessage
	DetailType     *string `json:"detail-type"`
	Source         string
	ID             string
	Detail         json.RawMessage
	RequestContext json.RawMessage `json:"requestContext"`
	Type           string          // SNS inside SQS: "Notification"
	MessageID      string          `json:"MessageId"`
	Message        *string
	Event          string // S3: "s3:TestEvent"
}

func decode(payload []byte, depth int) (Event, error) {
	if depth == 0 {
		return Event{}, errors.New("the event is wrapped more than five times")
	}
	if trimmed := bytes.TrimSpace(payload); len(trimmed) == 0 || trimmed[0] != '{' {
		return Event{}, fmt.Errorf("the event is no JSON object: %s", excerpt(payload))
	}
	var e envelope
	if err := json.Unmarshal(payload, &e); err != nil {
		// A field of a request may have the name of one of a wrapping's with another type: it is a request then.
		if !json.Valid(payload) {
			return Event{}, fmt.Errorf("the event is no JSON: %w", err)
		}
		e = envelope{}
	}
	switch {
	case e.Records != nil:
		return decodeRecords(e.Records, depth)
	case e.DetailType != nil:
		return decodeBridge(e, depth)
	case e.RequestContext != nil:
		return decodeHTTP(payload)
	case e.Type == "Notification" && e.Message != nil:
		inner, err := decode([]byte(*e.Message), depth-1)
		return inner.named("sns:" + e.MessageID), err
	case e.Event == "s3:TestEvent":
		return Event{Form: Broadcast, Ignored: []string{"S3 has sent the test event of a new notification"}}, nil
	}
	r, err := decodeRequest(payload)
	if err != nil {
		return Event{}, err
	}
	return Event{Form: Direct, Items: []Item{{Request: r}}}, nil
}

// carried has the fields of the records of SQS, SNS and S3.
type carried struct {
	EventSource string `json:"eventSource"` // SNS writes it with a capital E
	MessageID   string `json:"messageId"`
	Body        string
	SNS         *struct {
		MessageID string `json:"MessageId"`
		Message   string
	} `json:"Sns"`
	EventName string `json:"eventName"`
	S3        *s3Record
}

func decodeRecords(records []json.RawMessage, depth int) (Event, error) {
	all := Event{Form: Broadcast}
	for i, raw := range records {
		var r carried
		if err := json.Unmarshal(raw, &r); err != nil {
			return Event{}, fmt.Errorf("record %d of the event cannot be read: %w", i+1, err)
		}
		switch {
		case r.EventSource == "aws:sqs":
			all.Form = Queue
			inner, err := decode([]byte(r.Body), depth-1)
			if err != nil {
				all.Items = append(all.Items, Item{Message: r.MessageID, Err: err})
			}
			inner = inner.named("sqs:" + r.MessageID)
			for i := range inner.Items {
				inner.Items[i].Message = r.MessageID
			}
			all.Items, all.Ignored = append(all.Items, inner.Items...), append(all.Ignored, inner.Ignored...)
		case r.SNS != nil:
			inner, err := decode([]byte(r.SNS.Message), depth-1)
			if err != nil {
				all.Items = append(all.Items, Item{Err: err})
			}
			inner = inner.named("sns:" + r.SNS.MessageID)
			all.Items, all.Ignored = append(all.Items, inner.Items...), append(all.Ignored, inner.Ignored...)
		case r.S3 != nil:
			all.addObject(r.EventName, r.S3.bucket(), r.S3.object())
		default:
			return Event{}, fmt.Errorf("record %d of the event is of an unknown source (%q): SQS, SNS and S3 are known", i+1, r.EventSource)
		}
	}
	return all.once(), nil
}

// decodeBridge reads what EventBridge sends: that an object was created, or an event of somebody's own whose detail is a
// request.
func decodeBridge(e envelope, depth int) (Event, error) {
	switch {
	case e.Source == "aws.s3":
		var d bridgeObject
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			return Event{}, fmt.Errorf("the detail of the S3 event cannot be read: %w", err)
		}
		out := Event{Form: Broadcast}
		out.addObject(*e.DetailType, d.Bucket.Name, d.object())
		return out, nil
	case *e.DetailType == "Scheduled Event":
		return Event{}, errors.New(`the schedule's rule sends no request: give its target the input {"command": "deploy", "environment": "dev"}`)
	}
	out, err := decode(e.Detail, depth-1)
	if err != nil {
		return out, fmt.Errorf("the detail of the event %q: %w", *e.DetailType, err)
	}
	return out.named("event:" + e.ID), nil
}

// decodeHTTP reads what a function URL sends. A URL that lets anybody in is not followed: whoever finds it could deploy.
func decodeHTTP(payload []byte) (Event, error) {
	var call struct {
		Body           string
		Base64         bool `json:"isBase64Encoded"`
		Headers        map[string]string
		RequestContext struct {
			RequestID  string `json:"requestId"`
			HTTP       *struct{ Method string }
			Authorizer *struct{ IAM json.RawMessage }
		} `json:"requestContext"`
	}
	if err := json.Unmarshal(payload, &call); err != nil || call.RequestContext.HTTP == nil {
		return Event{}, errors.New("the event is like that of a function URL, but not in its format 2.0")
	}
	refuse := func(format string, args ...any) (Event, error) {
		return Event{Form: HTTP, Items: []Item{{Err: fmt.Errorf(format, args...)}}}, nil
	}
	if a := call.RequestContext.Authorizer; a == nil || len(a.IAM) == 0 || string(a.IAM) == "null" {
		return refuse("the function URL asks nobody who they are (auth type NONE): set it to AWS_IAM")
	}
	if m := call.RequestContext.HTTP.Method; m != http.MethodPost {
		return refuse("the method is %s: send the request with POST", m)
	}
	body := []byte(call.Body)
	if call.Base64 {
		var err error
		if body, err = base64.StdEncoding.DecodeString(call.Body); err != nil {
			return refuse("the body is not in base64: %w", err)
		}
	}
	r, err := decodeRequest(body)
	if err != nil {
		return refuse("the body: %w", err)
	}
	out := Event{Form: HTTP, Items: []Item{{Request: r}}}
	for name, value := range call.Headers {
		if strings.EqualFold(name, "idempotency-key") && value != "" {
			return out.named("http:" + value), nil
		}
	}
	return out.named("http:" + call.RequestContext.RequestID), nil
}

// named gives the requests a key that have none: what wraps a request is delivered again under the same id.
func (e Event) named(key string) Event {
	for i := range e.Items {
		if e.Items[i].Request.Key == "" {
			e.Items[i].Request.Key = key
		}
	}
	return e
}

// once leaves out requests that ask for the same as one before, as when a release's manifest was written twice. The
// message of the one that is left out has nothing to wait for.
func (e Event) once() Event {
	var kept []Item
	for _, item := range e.Items {
		same := func(k Item) bool { return item.Err == nil && k.Err == nil && k.Request.asksTheSame(item.Request) }
		if slices.ContainsFunc(kept, same) {
			e.Ignored = append(e.Ignored, "another record asks for the same: "+item.Request.String())
			continue
		}
		kept = append(kept, item)
	}
	e.Items = kept
	return e
}

// excerpt is the beginning of a text that could not be read.
func excerpt(text []byte) string {
	const most = 60
	if len(text) > most {
		return fmt.Sprintf("%q…", text[:most])
	}
	return fmt.Sprintf("%q", text)
}
