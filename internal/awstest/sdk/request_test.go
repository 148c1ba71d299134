package sdk

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// meant are the differences between a request of ours and the SDK's that are as they should be, with the reason.
var meant = map[string]string{
	"header User-Agent":                   "it says who calls",
	"header Amz-Sdk-Invocation-Id":        "it tells attempts of one call from another one's, for the service's statistics",
	"header Amz-Sdk-Request":              "it numbers the attempts, for the service's statistics",
	"signed header amz-sdk-invocation-id": "as the header",
	"signed header amz-sdk-request":       "as the header",
	"header Accept-Encoding":              "both read answers that are not packed, and net/http unpacks the others",
	"signed header accept-encoding":       "as the header",
}

// differences compares a request of ours with the SDK's: what it is, then both values.
func differences(ours, theirs taken) map[string]string {
	found := map[string]string{}
	note := func(what string, a, b any) {
		if !reflect.DeepEqual(a, b) {
			found[what] = fmt.Sprintf("ours %v, the SDK's %v", a, b)
		}
	}
	note("method", ours.Method, theirs.Method)
	note("host", ours.Host, theirs.Host)
	note("path", ours.Path, theirs.Path)
	for name := range union(ours.Query, theirs.Query) {
		note("query "+name, ours.Query[name], theirs.Query[name])
	}
	for name := range union(ours.Header, theirs.Header) {
		if name != "Authorization" && name != "X-Amz-Date" && name != "Content-Length" { // of another moment, and of how JSON is written
			note("header "+name, ours.Header[name], theirs.Header[name])
		}
	}
	mine, other := signature(ours), signature(theirs)
	note("signed region", mine[0], other[0])
	note("signed service", mine[1], other[1])
	for name := range maps.Keys(other[2].(map[string]bool)) {
		if !mine[2].(map[string]bool)[name] {
			found["signed header "+name] = "the SDK signs it"
		}
	}
	note("body", content(ours), content(theirs))
	note("length", ours.Header.Get("Content-Length") != "", theirs.Header.Get("Content-Length") != "")
	return found
}

// signature is region and service of a signature, and the headers that it covers.
func signature(one taken) [3]any {
	headers := map[string]bool{}
	m := signer.FindStringSubmatch(one.Header.Get("Authorization"))
	if m == nil {
		return [3]any{"", "not signed", headers}
	}
	for _, name := range strings.Split(m[4], ";") {
		headers[name] = true
	}
	return [3]any{m[2], m[3], headers}
}

// content is a body as its receiver reads it.
func content(one taken) any {
	var object any
	if json.Unmarshal(one.Body, &object) == nil {
		return object
	}
	if form, err := url.ParseQuery(string(one.Body)); err == nil && one.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		return form
	}
	return string(one.Body)
}

func union[V any](a, b map[string]V) map[string]bool {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	return names
}

// TestRequests holds each request that the product sends against the SDK's for the same operation and input, and what it reads
// from the answer against what the SDK reads from the same bytes.
func TestRequests(t *testing.T) {
	used, ran := map[string]bool{}, 0
	for _, r := range rows() {
		t.Run(r.title(), func(t *testing.T) {
			ran++
			p := newTape(t, r.replies)
			said := r.ours(t, as(p.env()))
			first := p.of(r.action)
			q := newTape(t, r.replies)
			read := r.theirs(t, q.config(), first)
			second := q.of(r.action)
			if len(first) == 0 || len(first) != len(second) {
				t.Fatalf("ours asked %d times, the SDK %d times: %v", len(first), len(second), said)
			}
			for i := range first {
				first[i].Header = swapped(first[i].Header, p.access, q.access)
				first[i].Body = []byte(strings.ReplaceAll(string(first[i].Body), p.access, q.access))
				found := differences(first[i], second[i])
				for _, what := range slices.Sorted(maps.Keys(found)) {
					_, general := meant[what]
					used[what] = true
					if _, own := r.meant[what]; !general && !own {
						t.Errorf("request %d: %s: %s", i+1, what, found[what])
					}
				}
				for what := range r.meant {
					if _, ok := found[what]; !ok && i == len(first)-1 {
						t.Errorf("%q is said to be meant, and the request has it not", what)
					}
				}
			}
			if !reflect.DeepEqual(said, read) || fmt.Sprint(said) == "" {
				t.Errorf("of the same answer\nours read      %#v\nthe SDK reads %#v", said, read)
			}
		})
	}
	for what := range meant {
		if !used[what] && ran == len(rows()) {
			t.Errorf("%q is in the list of what is meant, and no request has it", what)
		}
	}
}

func swapped(h http.Header, from, to string) http.Header {
	h = h.Clone()
	for _, values := range h {
		for i := range values {
			values[i] = strings.ReplaceAll(values[i], from, to)
		}
	}
	return h
}
