// Package s3 reads scripts from S3, and keeps releases there.
//
// It makes the few calls that it needs itself, signed by the SDK: the SDK's own client of the service costs each start of
// the program more than reading a hundred scripts does, used or not.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Config says whose S3 it is. Region and Credentials are needed.
type Config struct {
	Region string
	// Endpoint is the URL of something else that speaks S3; "" is AWS.
	Endpoint string
	// Host names AWS's host in a region; nil is s3.<region>.amazonaws.com.
	Host func(region string) string
	// PathStyle puts the bucket into the path of the URL. With an Endpoint, and for buckets with a dot, it is always there.
	PathStyle bool
	// Credentials are asked for when the first request is made, and again shortly before they expire.
	Credentials func(context.Context) (aws.Credentials, error)
	// RootCAs are those that the server's certificate may be signed by; nil: those of the system.
	RootCAs *x509.CertPool
	// Stall is how long nothing may arrive before a transfer is begun again; 0 is 20 seconds.
	Stall time.Duration
	// Attempts is how often a request is made before it has failed; 0 is 5.
	Attempts int
	// Pause is waited before the second attempt, and doubled before each one more; 0 is 200 ms.
	Pause time.Duration
}

// Client speaks to one S3. It may be used by several goroutines.
type Client struct {
	Config
	http *http.Client

	mu          sync.Mutex
	credentials aws.Credentials
	regions     map[string]string // of buckets that are not where Region says
}

// New makes a client. Nothing is asked yet.
func New(c Config) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.DisableCompression = 16, true // objects arrive as they were stored
	if c.RootCAs != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: c.RootCAs}
	}
	if c.Stall == 0 {
		c.Stall = 20 * time.Second
	}
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Pause == 0 {
		c.Pause = 200 * time.Millisecond
	}
	return &Client{Config: c, regions: map[string]string{}, http: &http.Client{
		Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// call is one request, as often as it has to be made.
type call struct {
	method, bucket, key string
	query               url.Values
	header              map[string]string
	body                func() (io.ReadCloser, error) // nil: none
	size                int64
	sha256              string // of the body, hex
}

// noBody is the hash of nothing.
var noBody = func() string { sum := sha256.Sum256(nil); return hex.EncodeToString(sum[:]) }()

// answer is a response whose body is still to be read, watched by the stall timer.
type answer struct {
	*http.Response
	watch *watched
}

// do makes a call until it succeeds, is refused for good, or has been tried often enough.
func (c *Client) do(ctx context.Context, k call) (*answer, error) {
	var err error
	for attempt := range c.Attempts {
		if attempt > 0 && !pause(ctx, c.Pause<<(attempt-1)) {
			return nil, ctx.Err()
		}
		var a *answer
		if a, err = c.once(ctx, k); err == nil {
			return a, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if f, ok := errors.AsType[*fault](err); ok && !f.passing() {
			return nil, err
		}
		if _, ok := errors.AsType[*noCredentials](err); ok {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w (%d attempts)", err, c.Attempts)
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once makes a call once. A bucket in another region says so, and is asked there.
func (c *Client) once(ctx context.Context, k call) (*answer, error) {
	region := c.region(k.bucket)
	a, err := c.send(ctx, k, region)
	f, ok := errors.AsType[*fault](err)
	if !ok || f.region == "" || f.region == region {
		return a, err
	}
	c.mu.Lock()
	c.regions[k.bucket] = f.region
	c.mu.Unlock()
	return c.send(ctx, k, f.region)
}

func (c *Client) region(bucket string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.regions[bucket]; r != "" {
		return r
	}
	return c.Region
}

func (c *Client) send(ctx context.Context, k call, region string) (*answer, error) {
	credentials, err := c.login(ctx)
	if err != nil {
		return nil, &noCredentials{err}
	}
	w := watch(ctx, c.Stall)
	request, err := c.request(w.ctx, k, region, w)
	if err != nil {
		w.stop()
		return nil, err
	}
	hash := k.sha256
	if k.body == nil {
		hash = noBody
	}
	request.Header.Set("X-Amz-Content-Sha256", hash)
	plain := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }
	if err := v4.NewSigner().SignHTTP(ctx, credentials, request, hash, "s3", region, time.Now(), plain); err != nil {
		w.stop()
		return nil, fmt.Errorf("signing the request: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		w.stop()
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return nil, w.told(err)
	}
	if response.StatusCode < 300 {
		return &answer{response, w}, nil
	}
	defer w.stop()
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(w.reader(response.Body), 1<<20))
	if err != nil {
		return nil, w.told(err)
	}
	return nil, faultOf(response, text)
}

// request builds what is signed and sent.
func (c *Client) request(ctx context.Context, k call, region string, w *watched) (*http.Request, error) {
	base := c.Endpoint
	inPath := c.PathStyle || base != "" || strings.Contains(k.bucket, ".")
	host := "s3." + region + ".amazonaws.com"
	if c.Host != nil {
		host = c.Host(region)
	}
	switch {
	case base != "":
	case inPath:
		base = "https://" + host
	default:
		base = "https://" + k.bucket + "." + host
	}
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("the endpoint %s is no URL", base)
	}
	p := "/" + k.key
	switch {
	case inPath && k.key == "":
		p = "/" + k.bucket
	case inPath:
		p = "/" + k.bucket + p
	}
	u.Path += p
	u.RawPath = escape(u.Path)
	u.RawQuery = strings.ReplaceAll(k.query.Encode(), "+", "%20")
	var body io.Reader
	if k.body != nil {
		content, err := k.body()
		if err != nil {
			return nil, err
		}
		body = struct {
			io.Reader
			io.Closer
		}{w.reader(content), content}
		if k.size == 0 {
			_ = content.Close() // there is nothing in it
			body = bytes.NewReader(nil)
		}
	}
	request, err := http.NewRequestWithContext(ctx, k.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	request.ContentLength = k.size
	for name, value := range k.header {
		request.Header.Set(name, value)
	}
	return request, nil
}

// escape writes a path as the signature wants it: all but letters, digits and -._~ as %XX.
func escape(p string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(p) {
		switch ch := p[i]; {
		case 'a' <= ch && ch <= 'z', 'A' <= ch && ch <= 'Z', '0' <= ch && ch <= '9', strings.IndexByte("-._~/", ch) >= 0:
			b.WriteByte(ch)
		default:
			b.WriteString("%" + string(hexDigits[ch>>4]) + string(hexDigits[ch&15]))
		}
	}
	return b.String()
}

// login gives the credentials, fresh ones where they end within five minutes.
func (c *Client) login(ctx context.Context) (aws.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.credentials
	if known.HasKeys() && (!known.CanExpire || time.Until(known.Expires) > 5*time.Minute) {
		return known, nil
	}
	fresh, err := c.Credentials(ctx)
	if err == nil {
		c.credentials = fresh
	}
	return fresh, err
}
