package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Looked is what a look at a location found.
type Looked struct {
	Objects int  // below it, of the first thousand
	More    bool // there are more
	// Versioning is "Enabled", "Suspended" or "off"; "" where it could not be seen.
	Versioning string
}

// Look lists the beginning of a location, reads one object's first bytes, and asks whether the bucket keeps versions, which may be
// denied without harm. An error is one of listing or reading.
func (c *Client) Look(ctx context.Context, at Location) (Looked, error) {
	w := wanted{place: at.String(), bucket: at.Bucket, action: "s3:ListBucket", on: at.Bucket}
	p, _, err := c.page(ctx, at.Bucket, at.below(), "")
	if err != nil {
		if ctx.Err() != nil {
			return Looked{}, ctx.Err()
		}
		return Looked{}, c.explain(w, fmt.Errorf("the listing: %w", err))
	}
	found := Looked{Objects: len(p.Contents), More: p.IsTruncated, Versioning: c.versioning(ctx, at.Bucket)}
	for _, o := range p.Contents {
		if p.EncodingType == "url" {
			if o.Key, err = url.QueryUnescape(o.Key); err != nil {
				continue
			}
		}
		if o.Size == 0 || strings.HasSuffix(o.Key, "/") {
			continue
		}
		r, err := c.open(ctx, at.Bucket, object{Key: o.Key, Size: o.Size, ETag: o.ETag})
		if err != nil {
			return found, err
		}
		_, err = r.Read(make([]byte, 1))
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return found, errors.Join(err, r.Close())
	}
	return found, nil
}

func (c *Client) versioning(ctx context.Context, bucket string) string {
	a, err := c.do(ctx, call{method: http.MethodGet, bucket: bucket, query: url.Values{"versioning": {""}}})
	if err != nil {
		return ""
	}
	defer a.watch.stop()
	defer a.Body.Close()
	var said struct{ Status string }
	text, err := io.ReadAll(a.watch.reader(a.Body))
	if err != nil || xml.Unmarshal(text, &said) != nil {
		return ""
	}
	if said.Status == "" {
		return "off"
	}
	return said.Status
}
