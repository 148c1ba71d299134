package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/s3test"
	"github.com/skein-db/skein/source"
	"github.com/skein-db/skein/source/s3"
)

func TestParseLocation(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"//shop/db/sql": "s3://shop/db/sql", "shop/db/sql": "s3://shop/db/sql", "//shop": "s3://shop", "shop/": "s3://shop", "//shop.eu//x/": "s3://shop.eu/x",
	} {
		l, err := s3.ParseLocation(text)
		if err != nil || l.String() != want {
			t.Errorf("%s: got %s %v, want %s", text, l, err, want)
		}
	}
	for _, text := range []string{"", "//", "///x", "//a", "//shop/*.sql", "//shop/x?", "//sh op/x"} {
		if l, err := s3.ParseLocation(text); err == nil {
			t.Errorf("%q is taken as %s", text, l)
		}
	}
}

// put fills a bucket.
func put(server *s3test.Server, bucket string, objects map[string]string) {
	for key, text := range objects {
		server.Put(bucket, key, text)
	}
}

func TestBarePrefix(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", true)
	server.Bucket("plain", false)
	large := strings.Repeat("select 5;\n", 500_000)
	objects := map[string]string{
		"db/V1__a.sql": "select 1;\r\n", "db/V10__j.sql": "", "db/sub/R__ä b+c%20&d='(e)'.sql": "select 'ä';\n", "db/.hidden/V9__h.sql": "select 9;\n",
		"db/V1__a.sql.conf": "executeInTransaction=false\n", "db/README.md": "about", "dbx/V2__b.sql": "select 2;\n", "V3__c.sql": "select 3;\n",
		"db/V5__large.sql": large,
	}
	put(server, "shop", objects)
	put(server, "plain", objects)
	opt := s3.Options{Wanted: source.Options{Suffixes: []string{".sql"}}.Wanted}
	for _, bucket := range []string{"shop", "plain"} {
		r, err := from(t, client(server), "//"+bucket+"/db/", opt)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, f := range r.Files {
			content := "-"
			switch {
			case f.Open != nil:
				body, err := f.Open()
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(body)
				content = fmt.Sprint(string(text) == large, err)
				body.Close()
			case f.Content != nil:
				content = fmt.Sprintf("%q", f.Content)
			}
			fmt.Fprintf(&got, "%s | %s | %s\n", f.Path, f.Physical, content)
			if pinned := f.Version != ""; pinned != (bucket == "shop" && content != "-") {
				t.Errorf("%s: %s has the version %q", bucket, f.Path, f.Version)
			}
			if f.Location != "s3://"+bucket+"/db" {
				t.Errorf("location %s", f.Location)
			}
		}
		want := strings.ReplaceAll(`README.md | s3://shop/db/README.md | -
V10__j.sql | s3://shop/db/V10__j.sql | ""
V1__a.sql | s3://shop/db/V1__a.sql | "select 1;\r\n"
V1__a.sql.conf | s3://shop/db/V1__a.sql.conf | "executeInTransaction=false\n"
V5__large.sql | s3://shop/db/V5__large.sql | true <nil>
sub/R__ä b+c%20&d='(e)'.sql | s3://shop/db/sub/R__ä b+c%20&d='(e)'.sql | "select 'ä';\n"
`, "s3://shop/", "s3://"+bucket+"/")
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("%s, want -, got +:\n%s", bucket, diff)
		}
	}
	if r, err := from(t, client(server), "shop", opt); err != nil || len(r.Files) != 8 {
		t.Errorf("the whole bucket: %d files, %v", len(r.Files), err)
	}
}

// TestManyObjects: a listing of three pages is seen whole (AT-12c).
func TestManyObjects(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", false)
	const many = 2500
	var group sync.WaitGroup
	for w := range 16 {
		group.Go(func() {
			for i := w; i < many; i += 16 {
				server.Put("shop", fmt.Sprintf("db/V%d__t.sql", i), fmt.Sprintf("select %d;\n", i))
			}
		})
	}
	group.Wait()
	n := &network{}
	r, err := from(t, client(server, n.put(t, server)), "//shop/db", s3.Options{})
	if err != nil || len(r.Files) != many {
		t.Fatalf("%d files, %v", len(r.Files), err)
	}
	for _, f := range r.Files {
		if want := fmt.Sprintf("select %s;\n", strings.TrimSuffix(strings.TrimPrefix(f.Path, "V"), "__t.sql")); string(f.Content) != want {
			t.Errorf("%s holds %q", f.Path, f.Content)
		}
	}
	if pages := n.total("GET /shop") - many; pages != 2*3 {
		t.Errorf("%d pages in two listings", pages)
	}
}

// TestFailuresAreTold: whatever keeps the scripts away is an error of its own, and never "no scripts" (AT-12c).
func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", false)
	put(server, "shop", map[string]string{"db/V1__a.sql": "select 1;", "db/V2__b.sql": "select 2;"})
	server.User("reader")
	server.User("lister")
	server.Policy("shop", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":["reader"]},"Action":"s3:GetObject","Resource":"arn:aws:s3:::shop/*"},
		{"Effect":"Allow","Principal":{"AWS":["lister"]},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::shop"},
		{"Effect":"Allow","Principal":{"AWS":["lister"]},"Action":"s3:GetObject","Resource":"arn:aws:s3:::shop/db/V1__a.sql"}]}`)
	as := func(access, secret string) func(*s3.Config) {
		return func(c *s3.Config) {
			c.Credentials = func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret}, nil
			}
		}
	}
	seen := map[string]string{}
	for name, c := range map[string]struct {
		location string
		change   func(*s3.Config)
		reason   source.Reason
		want     string
	}{
		"missing bucket": {"//shopp/db", as(server.Access, server.Secret), source.Wrong, "s3://shopp/db/: there is no bucket shopp"},
		"empty prefix":   {"//shop/dbb", as(server.Access, server.Secret), source.Wrong, "s3://shop/dbb: there is nothing below this prefix"},
		"half a name":    {"//shop/d", as(server.Access, server.Secret), source.Wrong, "s3://shop/d: there is nothing below this prefix"},
		"no credentials": {"//shop/db", func(c *s3.Config) {
			c.Credentials = func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, errors.New("none were found")
			}
		}, source.Wrong, "s3://shop/db/: no AWS credentials: none were found"},
		"denied listing":   {"//shop/db", as("reader", "reader-secret"), source.Unreachable, "s3://shop/db/: access denied"},
		"denied object":    {"//shop/db", as("lister", "lister-secret"), source.Unreachable, "s3://shop/db/V2__b.sql: access denied"},
		"wrong secret":     {"//shop/db", as(server.Access, "x"), source.Unreachable, "s3://shop/db/: S3 refused the credentials"},
		"unknown user":     {"//shop/db", as("nobody", "x"), source.Unreachable, "s3://shop/db/: S3 refused the credentials"},
		"no server":        {"//shop/db", func(c *s3.Config) { c.Endpoint = "http://127.0.0.1:1" }, source.Unreachable, "s3://shop/db/: S3 does not answer as it should"},
		"a wrong endpoint": {"//shop/db", func(c *s3.Config) { c.Endpoint = "somewhere" }, source.Unreachable, "is no URL"},
	} {
		r, err := from(t, client(server, c.change), c.location, s3.Options{})
		wrong(t, err, c.reason, c.want)
		if len(r.Files) > 0 {
			t.Errorf("%s: files were given all the same", name)
		}
		if e, ok := errors.AsType[*source.Error](err); ok {
			seen[e.Hint] += name + ", "
		}
	}
	for hint, names := range seen {
		if strings.Count(names, ",") > 2 {
			t.Errorf("%s have one hint: %s", names, hint)
		}
	}
}

// TestWrongRegion: S3 tells where a bucket is, and is asked there.
func TestWrongRegion(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", false)
	put(server, "shop", map[string]string{"db/V1__a.sql": "select 1;"})
	r, err := from(t, client(server, func(c *s3.Config) { c.Region = "eu-west-1" }), "//shop/db", s3.Options{})
	if err != nil || len(r.Files) != 1 {
		t.Errorf("%d files, %v", len(r.Files), err)
	}
}

func TestBareRule(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Bucket("shop", false)
	put(server, "shop", map[string]string{"db/V1__a.sql": "select 1;"})
	_, err := from(t, client(server), "//shop/db", s3.Options{Bare: s3.Bare{Refused: "it is bare", Hint: "make a release"}})
	wrong(t, err, source.Refused, "s3://shop/db: it is bare")
	_, err = from(t, client(server), "//shop/db", s3.Options{Bare: s3.Bare{Quiet: time.Hour}})
	wrong(t, err, source.Refused, "something was written here at ")
	r, err := from(t, client(server), "//shop/db", s3.Options{Bare: s3.Bare{Quiet: time.Nanosecond, Tell: true}})
	if err == nil {
		list, err := source.Describe(r)
		if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "1 files with the digest sha256:") || len(list) != 1 {
			t.Errorf("%v, %v", r.Warnings, err)
		}
	} else {
		wrong(t, err, source.Refused, "something was written here at ") // the clock of S3 counts seconds
	}
}
