package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/skein-db/skein/source"
)

// object is one object as a listing or an answer names it.
type object struct {
	Key     string
	Size    int64
	ETag    string
	version string // "" or "null" in a bucket without versions
}

func (c *Client) wantedObject(bucket, key, action string) wanted {
	return wanted{place: "s3://" + bucket + "/" + key, bucket: bucket, action: action, on: bucket + "/" + key}
}

// open begins to read an object: in a version, or as the listing knew it (its ETag), or the newest. The reader goes on
// where a transfer was cut, and gives an error, never an end, where what came is not what S3 said there is.
func (c *Client) open(ctx context.Context, bucket string, o object) (*reader, error) {
	r := &reader{client: c, ctx: ctx, bucket: bucket, object: o, hash: md5.New()} // an ETag is one; nothing is trusted because of it
	return r, r.begin()
}

// reader reads an object, over as many requests as it takes.
type reader struct {
	client *Client
	ctx    context.Context
	bucket string
	object object // with version and ETag, once something was answered
	body   *answer
	from   io.Reader
	at     int64
	hash   hash.Hash // of all that came
	md5    bool      // the ETag is one
	cuts   int       // without much that arrived between them
	since  int64     // where the first of these was
}

// much is what has to arrive after a cut so that it does not count any more: a large object over a bad network takes many
// requests, and a small one that never comes through is given up.
const much = 1 << 20

// begin asks for what is still missing.
func (r *reader) begin() error {
	k := call{method: http.MethodGet, bucket: r.bucket, key: r.object.Key, query: url.Values{}, header: map[string]string{}}
	action := "s3:GetObject"
	if v := r.object.version; v != "" && v != "null" {
		k.query.Set("versionId", v)
		action = "s3:GetObjectVersion"
	}
	if r.object.ETag != "" {
		k.header["If-Match"] = r.object.ETag
	}
	if r.at > 0 {
		k.header["Range"] = fmt.Sprintf("bytes=%d-", r.at)
	}
	w := r.client.wantedObject(r.bucket, r.object.Key, action)
	a, err := r.client.do(r.ctx, k)
	if err != nil {
		if f, ok := errors.AsType[*fault](err); ok && (f.Status == http.StatusPreconditionFailed || r.object.ETag != "" && f.Status == http.StatusNotFound) {
			return changed(w.place)
		}
		if r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		return r.client.explain(w, err)
	}
	whole := a.ContentLength
	if r.at > 0 {
		if _, err := fmt.Sscanf(a.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", r.at)+"%d", &whole); err != nil || a.StatusCode != http.StatusPartialContent {
			r.close(a)
			return r.client.explain(w, errors.New("it does not go on where a transfer was cut"))
		}
		whole++
	}
	etag, version := a.Header.Get("ETag"), a.Header.Get("X-Amz-Version-Id")
	if r.object.ETag != "" && (etag != r.object.ETag || whole != r.object.Size) {
		r.close(a)
		return changed(w.place)
	}
	r.object.ETag, r.object.Size, r.object.version = etag, whole, version
	r.md5 = isMD5(etag) && (a.Header.Get("X-Amz-Server-Side-Encryption") == "" || a.Header.Get("X-Amz-Server-Side-Encryption") == "AES256") &&
		a.Header.Get("X-Amz-Server-Side-Encryption-Customer-Algorithm") == ""
	r.body, r.from = a, a.watch.reader(a.Body)
	return nil
}

// changed is the failure of an object that is not any more what it was when it was first looked at.
func changed(place string) error {
	return &source.Error{Reason: source.Refused, Message: place + ": it was replaced while it was in use", Hint: "wait until whoever writes there is done, and run the command again"}
}

// isMD5 tells whether an ETag can be a hash of the content: those of uploads in parts have a dash.
func isMD5(etag string) bool {
	etag = strings.Trim(etag, `"`)
	_, err := hex.DecodeString(etag)
	return err == nil && len(etag) == 2*md5.Size
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		n, err := r.from.Read(p)
		r.at += int64(n)
		_, _ = r.hash.Write(p[:n]) // a hash takes everything
		switch {
		case n > 0:
			return n, nil // what err says is asked again
		case err == nil:
			continue
		case errors.Is(err, io.EOF) && r.at == r.object.Size:
			if r.md5 && hex.EncodeToString(r.hash.Sum(nil)) != strings.Trim(r.object.ETag, `"`) {
				return 0, r.client.explain(r.wanted(), errors.New("what arrived is not what its ETag says"))
			}
			return 0, io.EOF
		}
		if err := r.again(err); err != nil {
			return 0, err
		}
	}
}

// again goes on after a cut.
func (r *reader) again(cut error) error {
	cut = r.body.watch.told(cut)
	r.close(r.body)
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if r.at-r.since >= much {
		r.cuts = 0
	}
	if r.cuts == 0 {
		r.since = r.at
	}
	if r.cuts++; r.cuts >= r.client.Attempts {
		return r.client.explain(r.wanted(), fmt.Errorf("the transfer broke off at byte %d of %d: %w (%d times)", r.at, r.object.Size, cut, r.cuts))
	}
	if !pause(r.ctx, r.client.Pause<<(r.cuts-1)) {
		return r.ctx.Err()
	}
	return r.begin()
}

func (r *reader) wanted() wanted {
	return r.client.wantedObject(r.bucket, r.object.Key, "s3:GetObject")
}

func (r *reader) close(a *answer) {
	a.watch.stop()
	_ = a.Body.Close() // it was only read
}

// Close ends the transfer.
func (r *reader) Close() error {
	r.close(r.body)
	return nil
}

// put writes an object and gives its version. S3 compares what arrives with the hash.
func (c *Client) put(ctx context.Context, bucket, key string, content source.Content, once bool) (version string, err error) {
	sum, err := hex.DecodeString(content.SHA256)
	if err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("%q is no hash", content.SHA256)
	}
	k := call{
		method: http.MethodPut, bucket: bucket, key: key, body: content.Open, size: content.Size, sha256: content.SHA256,
		header: map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum)},
	}
	if once {
		k.header["If-None-Match"] = "*"
	}
	a, err := c.do(ctx, k)
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", c.explain(c.wantedObject(bucket, key, "s3:PutObject"), err)
	}
	defer a.watch.stop()
	defer a.Body.Close()
	_, _ = io.Copy(io.Discard, a.watch.reader(a.Body)) // the answer has come; its body is empty
	return a.Header.Get("X-Amz-Version-Id"), nil
}
