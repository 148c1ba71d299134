package s3

import (
	"context"
	"io"
	"strings"

	"github.com/skein-db/skein/source"
)

// Location is a bucket and what keys in it begin with.
type Location struct {
	Bucket string
	Prefix string // without a slash at its ends; "" is the whole bucket
}

// ParseLocation reads what stands behind "s3:": "//bucket/prefix", or Flyway's "bucket/prefix".
func ParseLocation(rest string) (Location, error) {
	rest = strings.TrimPrefix(rest, "//")
	bucket, prefix, _ := strings.Cut(rest, "/")
	l := Location{Bucket: bucket, Prefix: strings.Trim(prefix, "/")}
	wrong := func(message, hint string) error {
		return &source.Error{Reason: source.Wrong, Message: "location s3:" + rest + ": " + message, Hint: hint}
	}
	switch {
	case len(bucket) < 2 || len(bucket) > 255 || strings.ContainsFunc(bucket, noBucket):
		return l, wrong("it names no bucket", "write s3://bucket/prefix")
	case strings.ContainsAny(prefix, "*?"):
		return l, wrong("wildcards are not understood in S3", "name the prefix; all that is below it is read")
	}
	return l, nil
}

// noBucket finds what stands in no bucket's name.
func noBucket(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
}

// String is the location as it is shown: s3://bucket/prefix.
func (l Location) String() string { return strings.TrimSuffix("s3://"+l.Bucket+"/"+l.Prefix, "/") }

// below is what the keys inside begin with.
func (l Location) below() string {
	if l.Prefix == "" {
		return ""
	}
	return l.Prefix + "/"
}

// Store keeps releases below a location.
func (c *Client) Store(l Location) *source.Store { return source.NewStore(shelf{c, l}) }

// shelf is a location as a source.Shelf.
type shelf struct {
	client *Client
	Location
}

func (s shelf) Place(key string) string { return "s3://" + s.Bucket + "/" + s.below() + key }

func (s shelf) Keys(ctx context.Context, folder string) ([]string, error) {
	if folder != "" {
		folder += "/"
	}
	all, err := s.client.list(ctx, s.Bucket, s.below()+folder)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(all.objects))
	for _, o := range all.objects {
		keys = append(keys, strings.TrimPrefix(o.Key, s.below()))
	}
	return keys, nil
}

func (s shelf) Open(ctx context.Context, key, version string) (io.ReadCloser, string, error) {
	r, err := s.client.open(ctx, s.Bucket, object{Key: s.below() + key, version: version})
	if err != nil {
		return nil, "", err
	}
	return r, r.object.version, nil
}

func (s shelf) Put(ctx context.Context, key string, content source.Content, once bool) (string, error) {
	return s.client.put(ctx, s.Bucket, s.below()+key, content, once)
}
