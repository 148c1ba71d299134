package awstest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Call is a permission that a call to AWS asks for.
type Call struct {
	Action   string `json:"action"`   // "s3:GetObject"
	Resource string `json:"resource"` // an ARN, or * where the action knows none
	Prefix   string `json:"prefix,omitempty"`
}

// Recorder stands before services and takes down what is asked of them.
type Recorder struct {
	t     testing.TB
	mu    sync.Mutex
	calls map[Call]bool
	odd   []string // calls that no permission is known for
}

// NewRecorder makes one.
func NewRecorder(t testing.TB) *Recorder { return &Recorder{t: t, calls: map[Call]bool{}} }

// Before gives the URL of a server that takes down calls and has next answer them.
func (r *Recorder) Before(next http.Handler) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		r.take(request, body)
		next.ServeHTTP(w, request)
	}))
	r.t.Cleanup(server.Close)
	return server.URL
}

// BeforeURL is Before for a server elsewhere. The name that was signed stays.
func (r *Recorder) BeforeURL(address string) string {
	to, err := url.Parse(address)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.Before(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = to.Scheme, to.Host, p.In.Host
	}})
}

// Calls are all so far, in order, each once.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.odd) > 0 {
		r.t.Errorf("calls that no permission is known for: %q", r.odd)
	}
	var list []Call
	for c := range r.calls {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Call) int {
		return cmp.Or(strings.Compare(a.Action, b.Action), strings.Compare(a.Resource, b.Resource), strings.Compare(a.Prefix, b.Prefix))
	})
	return list
}

var scope = regexp.MustCompile(`Credential=[^/]+/\d{8}/[^/]+/([a-z0-9-]+)/aws4_request`)

func (r *Recorder) take(request *http.Request, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := scope.FindStringSubmatch(request.Header.Get("Authorization"))
	var calls []Call
	if m != nil {
		switch m[1] {
		case "s3":
			calls = storage(request)
		case "lambda":
			name := strings.TrimSuffix(strings.TrimPrefix(request.URL.Path, "/2015-03-31/functions/"), "/invocations")
			calls = []Call{{Action: "lambda:InvokeFunction", Resource: arn("lambda", "function:"+path.Base(strings.ReplaceAll(name, ":", "/")))}}
		case "monitoring":
			form, _ := url.ParseQuery(string(body))
			calls = []Call{{Action: "cloudwatch:" + form.Get("Action"), Resource: "*"}}
		default:
			calls = targeted(request.Header.Get("X-Amz-Target"), body)
		}
	}
	if len(calls) == 0 {
		r.odd = append(r.odd, request.Method+" "+request.URL.String())
	}
	for _, c := range calls {
		r.calls[c] = true
	}
}

// storage knows the calls of S3, whose buckets stand in the path here.
func storage(request *http.Request) []Call {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	query := request.URL.Query()
	object := "arn:" + Partition + ":s3:::" + bucket + "/" + key
	switch {
	case request.Method == http.MethodGet && key == "" && query.Get("list-type") == "2":
		return []Call{{Action: "s3:ListBucket", Resource: "arn:" + Partition + ":s3:::" + bucket, Prefix: query.Get("prefix")}}
	case request.Method == http.MethodGet && query.Has("versionId"):
		return []Call{{Action: "s3:GetObjectVersion", Resource: object}}
	case request.Method == http.MethodGet && key != "" && len(query) == 0:
		return []Call{{Action: "s3:GetObject", Resource: object}}
	}
	return nil
}

// targeted knows the calls that are named in a header.
func targeted(target string, body []byte) []Call {
	var in struct {
		SecretID, DocumentName string // SecretId; names are matched without regard to case
		InstanceIDs            []string
	}
	if json.Unmarshal(body, &in) != nil {
		return nil
	}
	switch target {
	case "secretsmanager.GetSecretValue":
		return []Call{{Action: "secretsmanager:GetSecretValue", Resource: in.SecretID}}
	case "AmazonSSM.SendCommand":
		calls := []Call{{Action: "ssm:SendCommand", Resource: fmt.Sprintf("arn:%s:ssm:%s::document/%s", Partition, Region, in.DocumentName)}}
		for _, id := range in.InstanceIDs {
			calls = append(calls, Call{Action: "ssm:SendCommand", Resource: arn("ec2", "instance/"+id)})
		}
		return calls
	case "AmazonSSM.GetCommandInvocation":
		return []Call{{Action: "ssm:GetCommandInvocation", Resource: "*"}}
	}
	return nil
}
