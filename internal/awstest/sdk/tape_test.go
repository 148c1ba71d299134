package sdk

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// all is AWS: whatever this process sends over https comes here, under the name of the host that it is for. So both sides
// make their calls as they would anywhere, and no variable names an endpoint.
var all = struct {
	sync.Mutex
	tapes map[string]*tape // by access key
}{tapes: map[string]*tape{}}

func TestMain(m *testing.M) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		all.Lock()
		t := all.tapes[key(r, body)]
		all.Unlock()
		if t == nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		t.serve(w, r, body)
	}))
	// Ours uses the transport of net/http, or a clone of it, and so does the SDK here.
	transport := http.DefaultTransport.(*http.Transport)
	transport.Proxy = nil
	transport.DialTLSContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	code := m.Run()
	server.Close()
	os.Exit(code)
}

var signer = regexp.MustCompile(`Credential=([^/]+)/\d{8}/([^/]+)/([a-z0-9-]+)/aws4_request, SignedHeaders=([a-z0-9;-]+),`)

// key is who signed a request; one that is not signed has the key as its token.
func key(r *http.Request, body []byte) string {
	if m := signer.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return m[1]
	}
	form, _ := url.ParseQuery(string(body))
	return form.Get("WebIdentityToken")
}

// taken is a request as it came.
type taken struct {
	Operation          string // as permissions name it, "ssm:SendCommand"
	Method, Host, Path string // Path is escaped
	Query              url.Values
	Header             http.Header
	Body               []byte
}

// reply is what a service answers.
type reply struct {
	status int // 0: 200
	header map[string]string
	body   string
	cut    int // how much of the body comes; 0: all of it
}

// tape takes down requests and answers them.
type tape struct {
	mu      sync.Mutex
	replies map[string][]reply // by operation; the last one stays
	taken   []taken
	access  string
}

const (
	region       = "eu-central-1"
	secretKey    = "tape/secret"
	sessionToken = "tape-session"
)

// newTape makes AWS for one account.
func newTape(t *testing.T, replies map[string][]reply) *tape {
	all.Lock()
	defer all.Unlock()
	p := &tape{access: fmt.Sprintf("AKIDTAPE%d", len(all.tapes)), replies: map[string][]reply{}}
	for operation, list := range replies {
		p.replies[operation] = slices.Clone(list)
	}
	all.tapes[p.access] = p
	t.Cleanup(func() {
		all.Lock()
		defer all.Unlock()
		all.tapes[p.access] = nil // the number stays used
	})
	return p
}

// env and config are the account, for ours and for the SDK.
func (p *tape) env() []string {
	return []string{"AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=" + p.access, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_SESSION_TOKEN=" + sessionToken, "AWS_EC2_METADATA_DISABLED=true"}
}

func (p *tape) config() aws.Config { return configured(p.access, secretKey, sessionToken) }

func configured(access, secret, session string) aws.Config {
	return aws.Config{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider(access, secret, session),
		HTTPClient: &http.Client{}, RetryMaxAttempts: 1, // whether it would try again is asked, not waited for
		// as LoadDefaultConfig has it
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
}

func (p *tape) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	one := taken{Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.Query(), Header: r.Header, Body: body}
	one.Operation = operation(one)
	p.mu.Lock()
	p.taken = append(p.taken, one)
	list := p.replies[one.Operation]
	if len(list) > 1 {
		p.replies[one.Operation] = list[1:]
	}
	p.mu.Unlock()
	if len(list) == 0 {
		w.WriteHeader(http.StatusTeapot) // the row has none
		return
	}
	say := list[0]
	for name, value := range say.header {
		w.Header().Set(name, value)
	}
	if say.cut > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(len(say.body)))
		say.body = say.body[:say.cut]
	}
	w.WriteHeader(max(say.status, http.StatusOK))
	_, _ = io.WriteString(w, say.body) // who has gone gets none
	if say.cut > 0 {
		_ = http.NewResponseController(w).Flush() // it can
		panic(http.ErrAbortHandler)
	}
}

// of gives the requests of an operation so far.
func (p *tape) of(operation string) []taken {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []taken
	for _, one := range p.taken {
		if one.Operation == operation {
			list = append(list, one)
		}
	}
	return list
}

var schedules = map[string]string{http.MethodGet: "Get", http.MethodPost: "Create", http.MethodPut: "Update", http.MethodDelete: "Delete"}

// operation names what a request is for.
func operation(one taken) string {
	service := strings.Split(one.Host, ".")[0]
	if m := signer.FindStringSubmatch(one.Header.Get("Authorization")); m != nil {
		service = m[3]
	}
	_, target, named := strings.Cut(one.Header.Get("X-Amz-Target"), ".")
	form, _ := url.ParseQuery(string(one.Body))
	_, called, cbor := strings.Cut(one.Path, "/operation/")
	switch {
	case named:
		return service + ":" + target
	case service == "monitoring" && cbor:
		return "cloudwatch:" + called
	case service == "monitoring":
		return "cloudwatch:" + form.Get("Action")
	case service == "sts":
		return "sts:" + form.Get("Action")
	case service == "lambda" && strings.HasSuffix(one.Path, "/invocations"):
		return "lambda:InvokeFunction"
	case service == "scheduler" && one.Path == "/schedules":
		return "scheduler:ListSchedules"
	case service == "scheduler":
		return "scheduler:" + schedules[one.Method] + "Schedule"
	case service == "s3":
		return storage(one)
	}
	return "unknown:" + one.Method + " " + one.Host + one.Path
}

func storage(one taken) string {
	switch {
	case one.Method == http.MethodPut:
		return "s3:PutObject"
	case one.Query.Has("list-type"):
		return "s3:ListBucket"
	case one.Query.Has("versioning"):
		return "s3:GetBucketVersioning"
	case one.Query.Has("versionId"):
		return "s3:GetObjectVersion"
	}
	return "s3:GetObject"
}
