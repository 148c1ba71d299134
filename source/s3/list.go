package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// listing is all that is below a prefix.
type listing struct {
	objects []object
	newest  time.Time // when the last of them was written, by S3's clock
	now     time.Time // S3's clock when it was asked
}

// same compares two listings by what the objects are.
func (l listing) same(other listing) bool {
	return slices.EqualFunc(l.objects, other.objects, func(a, b object) bool { return a.Key == b.Key && a.ETag == b.ETag && a.Size == b.Size })
}

// page is one answer of ListObjectsV2.
type page struct {
	EncodingType          string
	IsTruncated           bool
	NextContinuationToken string
	Contents              []struct {
		Key, ETag    string
		Size         int64
		LastModified time.Time
	}
}

// list reads every page of a listing.
func (c *Client) list(ctx context.Context, bucket, prefix string) (listing, error) {
	var all listing
	w := wanted{place: "s3://" + bucket + "/" + prefix, bucket: bucket, action: "s3:ListBucket", on: bucket}
	token := ""
	for {
		p, now, err := c.page(ctx, bucket, prefix, token)
		if err != nil {
			if ctx.Err() != nil {
				return listing{}, ctx.Err()
			}
			return listing{}, c.explain(w, fmt.Errorf("the listing: %w", err))
		}
		all.now = now
		for _, o := range p.Contents {
			if p.EncodingType == "url" {
				if o.Key, err = url.QueryUnescape(o.Key); err != nil {
					return listing{}, c.explain(w, fmt.Errorf("the listing names a key that cannot be read: %w", err))
				}
			}
			all.objects = append(all.objects, object{Key: o.Key, Size: o.Size, ETag: o.ETag})
			if o.LastModified.After(all.newest) {
				all.newest = o.LastModified
			}
		}
		if !p.IsTruncated {
			return all, nil
		}
		if p.NextContinuationToken == "" || p.NextContinuationToken == token {
			return listing{}, c.explain(w, errors.New("the listing has no end"))
		}
		token = p.NextContinuationToken
	}
}

// page reads one page; a page that is cut is asked for again, as often as any request.
func (c *Client) page(ctx context.Context, bucket, prefix, token string) (page, time.Time, error) {
	query := url.Values{"list-type": {"2"}, "encoding-type": {"url"}, "prefix": {prefix}}
	if token != "" {
		query.Set("continuation-token", token)
	}
	var err error
	for attempt := range c.Attempts {
		if attempt > 0 && !pause(ctx, c.Pause<<(attempt-1)) {
			break
		}
		var a *answer
		if a, err = c.do(ctx, call{method: http.MethodGet, bucket: bucket, query: query}); err != nil {
			return page{}, time.Time{}, err
		}
		var text []byte
		text, err = io.ReadAll(a.watch.reader(a.Body))
		err = a.watch.told(err)
		a.watch.stop()
		_ = a.Body.Close() // it was only read
		if err != nil {
			continue
		}
		var p page
		if err := xml.Unmarshal(text, &p); err != nil {
			return page{}, time.Time{}, fmt.Errorf("the answer is no listing: %w", err)
		}
		now, err := http.ParseTime(a.Header.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		return p, now, nil
	}
	return page{}, time.Time{}, err
}
