package sdk

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	queues "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/skein-db/skein/internal/awstest"
	"github.com/skein-db/skein/internal/lambda"
)

const asked = `{"command": "migrate", "environment": "dev"}`

// TestEnvelopes: the product sends nothing to queues and topics, but it is sent events by them. What Lambda hands over is built of
// the types that AWS publishes for it, and what is in them has come through a topic and a queue, by the SDK.
func TestEnvelopes(t *testing.T) {
	t.Parallel()
	url := as(awstest.StartMoto(t)).Variable("AWS_ENDPOINT_URL")
	c := configured("AKIDMOTO", "moto", "")
	c.BaseEndpoint = &url
	queued, through, raw := received(t, c, ""), received(t, c, "false"), received(t, c, "true")
	message := func(m queues.Message) events.SQSEvent {
		return events.SQSEvent{Records: []events.SQSMessage{{MessageId: *m.MessageId, Body: *m.Body, ReceiptHandle: *m.ReceiptHandle, EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:eu-central-1:123456789012:q", AWSRegion: region}}}
	}
	var manifest events.S3Event
	record := events.S3EventRecord{EventSource: "aws:s3", EventName: "ObjectCreated:Put"}
	record.S3.Bucket.Name, record.S3.Object.Key, record.S3.Object.Size = "shop", "releases/2026.11/release.json", 7
	manifest.Records = append(manifest.Records, record)
	url2 := events.LambdaFunctionURLRequest{Version: "2.0", Body: asked, Headers: map[string]string{"idempotency-key": "k"}}
	url2.RequestContext.HTTP.Method, url2.RequestContext.Authorizer = "POST", &events.LambdaFunctionURLRequestContextAuthorizerDescription{IAM: &events.LambdaFunctionURLRequestContextAuthorizerIAMDescription{AccountID: "123456789012"}}
	open := url2
	open.RequestContext.Authorizer = nil
	for name, c := range map[string]struct {
		event any
		want  string
	}{
		"a queue":                      {message(queued), "queue migrate dev sqs:" + *queued.MessageId + " " + *queued.MessageId},
		"a topic into a queue":         {message(through), "queue migrate dev sns:" + notification(t, through) + " " + *through.MessageId},
		"a topic into a queue, as raw": {message(raw), "queue migrate dev sqs:" + *raw.MessageId + " " + *raw.MessageId},
		"a topic":                      {events.SNSEvent{Records: []events.SNSEventRecord{{EventSource: "aws:sns", SNS: events.SNSEntity{MessageID: "m", Type: "Notification", Message: asked}}}}, "broadcast migrate dev sns:m "},
		"a bucket":                     {manifest, "broadcast 2026.11"},
		"a rule":                       {events.EventBridgeEvent{ID: "e", Source: "shop", DetailType: "Deploy", Detail: json.RawMessage(asked)}, "direct migrate dev event:e "},
		"a URL":                        {url2, "http migrate dev http:k "},
		"a URL that lets anybody in":   {open, "http the function URL asks nobody who they are (auth type NONE): set it to AWS_IAM"},
	} {
		text, err := json.Marshal(c.event)
		e, err2 := lambda.Decode(need(t, text, err))
		if err2 != nil || len(e.Items) != 1 {
			t.Errorf("%s: %+v %v", name, e, err2)
			continue
		}
		i := e.Items[0]
		got := fmt.Sprintf("%s %s %s %s", e.Form, i.Request, i.Request.Key, i.Message)
		if i.Request.Arrived {
			got = fmt.Sprintf("%s %s", e.Form, i.Request.Release)
		}
		if i.Err != nil {
			got = fmt.Sprintf("%s %v", e.Form, i.Err)
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s\n%s", name, got, c.want, text)
		}
	}
}

// received is a request that came out of a queue: sent to it, or to a topic before it. raw is how the topic hands it on.
func received(t *testing.T, c aws.Config, raw string) queues.Message {
	t.Helper()
	q, n := sqs.NewFromConfig(c), sns.NewFromConfig(c)
	made, err := q.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q" + raw)})
	queue := need(t, made, err).QueueUrl
	if raw == "" {
		out, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String(asked)})
		need(t, out, err)
	} else {
		topic, err := n.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("t" + raw)})
		arn := need(t, topic, err).TopicArn
		out, err := n.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: arn, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:" + region + ":123456789012:q" + raw), Attributes: map[string]string{"RawMessageDelivery": raw}})
		need(t, out, err)
		sent, err := n.Publish(t.Context(), &sns.PublishInput{TopicArn: arn, Message: aws.String(asked)})
		need(t, sent, err)
	}
	got, err := q.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue, WaitTimeSeconds: 5})
	if list := need(t, got, err).Messages; len(list) == 1 {
		return list[0]
	}
	t.Fatalf("%d messages came", len(got.Messages))
	return queues.Message{}
}

// notification is the id that a topic gave to what it handed on.
func notification(t *testing.T, m queues.Message) string {
	var n struct{ Type, MessageID string }
	if err := json.Unmarshal([]byte(*m.Body), &n); err != nil || n.Type != "Notification" {
		t.Errorf("%s: %v", *m.Body, err)
	}
	return n.MessageID
}
