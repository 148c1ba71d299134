package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/skein-db/skein/internal/s3test"
	"github.com/skein-db/skein/source"
	"github.com/skein-db/skein/source/s3"
)

// client is one of the owner's, which does not wait long.
func client(server *s3test.Server, change ...func(*s3.Config)) *s3.Client {
	c := s3.Config{
		Region: server.Region, Endpoint: server.Endpoint, Pause: time.Millisecond,
		Credentials: func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: server.Access, SecretAccessKey: server.Secret}, nil
		},
	}
	for _, f := range change {
		f(&c)
	}
	return s3.New(c)
}

// from reads a location with a client.
func from(t *testing.T, c *s3.Client, location string, opt s3.Options) (source.Release, error) {
	t.Helper()
	l, err := s3.ParseLocation(location)
	if err != nil {
		t.Fatal(err)
	}
	return c.Source(l, opt).Load(t.Context())
}

// wrong compares an error.
func wrong(t *testing.T, err error, reason source.Reason, text string) {
	t.Helper()
	e, ok := errors.AsType[*source.Error](err)
	if !ok || e.Reason != reason || !strings.Contains(e.Message, text) || e.Hint == "" {
		t.Errorf("want %d %q, got %#v", reason, text, err)
	}
}

// network is a proxy before a server, at which a test meddles: before is asked about each request, and may answer itself
// (true); body may wrap what the server answers with.
type network struct {
	before func(n int, w http.ResponseWriter, r *http.Request) bool
	body   func(n int, r *http.Request, body io.Reader) io.Reader

	mu    sync.Mutex
	count map[string]int // requests so far, by method and URL without the query
}

func (n *network) put(t *testing.T, server *s3test.Server) func(*s3.Config) {
	t.Helper()
	n.count = map[string]int{}
	to, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	type number struct{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is part of the signature
		},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // it tells each cut
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ModifyResponse: func(r *http.Response) error {
			if n.body != nil {
				i, _ := r.Request.Context().Value(number{}).(int)
				r.Body = io.NopCloser(n.body(i, r.Request, r.Body))
			}
			return nil
		},
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		id := r.Method + " " + r.URL.Path
		n.count[id]++
		i := n.count[id]
		n.mu.Unlock()
		if n.before != nil && n.before(i, w, r) {
			return
		}
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), number{}, i)))
	}))
	t.Cleanup(front.Close)
	return func(c *s3.Config) { c.Endpoint = front.URL }
}

// total counts the requests whose method and path begin so.
func (n *network) total(prefix string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := 0
	for id, count := range n.count {
		if strings.HasPrefix(id, prefix) {
			sum += count
		}
	}
	return sum
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, status int, code string) bool {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>so it is</Message></Error>", code)
	return true
}

// cut ends a body after some bytes, with an error that takes the connection down.
type cut struct {
	from io.Reader
	left int
	wait <-chan struct{} // instead of ending, it gives nothing more until this is closed; nil: it ends
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		if c.wait != nil {
			<-c.wait
		}
		return 0, errors.New("cut")
	}
	n, err := c.from.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// drip gives a few bytes at a time.
type drip struct{ from io.Reader }

func (d drip) Read(p []byte) (int, error) { return d.from.Read(p[:min(len(p), 97)]) }

// flip changes one byte.
type flip struct{ from io.Reader }

func (f flip) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	if n > 0 {
		p[0] ^= 1
	}
	return n, err
}
