package sdk

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdks3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/internal/secret"
	account "github.com/skein-db/skein/internal/secret/aws"
	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
	"github.com/skein-db/skein/source/s3"
)

const (
	script = "create table a();\n"
	odd    = "sql/V1__a b+ü&<.sql" // a key that has to be escaped wherever it stands
)

var (
	etag = fmt.Sprintf(`"%x"`, md5.Sum([]byte(script)))
	at   = s3.Location{Bucket: "shop-scripts", Prefix: "sql"}
)

// page is an answer of ListObjectsV2.
func page(next string, keys ...string) reply {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>shop-scripts</Name><Prefix>sql%%2F</Prefix><KeyCount>%d</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>%t</IsTruncated>`,
		len(keys), next != "")
	for _, k := range keys {
		fmt.Fprintf(&b, `<Contents><Key>%s</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;%s&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`,
			strings.ReplaceAll(url.QueryEscape(k), "%2F", "/"), strings.Trim(etag, `"`), len(script))
	}
	if next != "" {
		b.WriteString("<NextContinuationToken>" + next + "</NextContinuationToken>")
	}
	return reply{body: b.String() + "</ListBucketResult>"}
}

// found is an answer of GetObject.
func found(change ...func(*reply)) reply {
	r := reply{body: script, header: map[string]string{"ETag": etag, "X-Amz-Version-Id": "v1", "X-Amz-Server-Side-Encryption": "AES256", "Content-Type": "binary/octet-stream"}}
	for _, f := range change {
		f(&r)
	}
	return r
}

func missing() reply {
	return reply{status: 404, body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><RequestId>r</RequestId></Error>`}
}

// bucket is ours for an account, as the program makes it.
func bucket(a account.Account) *s3.Client {
	world := wire.World{Env: a.Env}
	line, err := config.Parse([]string{"info", "-url=postgres://nobody@127.0.0.1:1/nowhere", "-locations=" + at.String()}, config.Grammar{})
	if err != nil {
		panic(err)
	}
	settings, _, err := world.Load(context.Background(), line, &secret.Redactor{})
	if err != nil {
		panic(err)
	}
	_, client, err := wire.Buckets(settings, world)
	if err != nil {
		panic(err)
	}
	client.Attempts, client.Pause = 2, time.Millisecond
	return client
}

// loaded gives the names and texts of the scripts that ours finds.
func loaded(t *testing.T, a account.Account) any {
	r, err := bucket(a).Source(at, s3.Options{}).Load(t.Context())
	var text string
	for _, f := range need(t, r, err).Files {
		text += f.Path + "=" + string(f.Content) + ";"
	}
	return text
}

// Why some requests to S3 differ.
const tells = "it names the operation for whoever reads logs"

var download = map[string]string{
	"query x-id":                        tells,
	"header X-Amz-Checksum-Mode":        "what arrives is compared with the ETag, and a release's files with the manifest: no other checksum is asked for",
	"signed header x-amz-checksum-mode": "as the header",
}

// storages are the calls to S3.
func storages() []row {
	const list, get, version, versioning = "s3:ListBucket", "s3:GetObject", "s3:GetObjectVersion", "s3:GetBucketVersioning"
	half := found(func(r *reply) { r.cut = 7; delete(r.header, "X-Amz-Version-Id") })
	rest := found(func(r *reply) {
		delete(r.header, "X-Amz-Version-Id")
		r.status, r.body, r.header["Content-Range"] = 206, script[7:], fmt.Sprintf("bytes 7-%d/%d", len(script)-1, len(script))
	})
	reads := []string{"source/s3/object.go begin"}
	return append([]row{{
		action: list, note: "two pages, twice", sites: []string{"source/s3/list.go page"}, replies: map[string][]reply{list: {page("1/A+=", odd), page("", "sql/V2__b.sql"), page("1/A+=", odd), page("", "sql/V2__b.sql")}, get: {found()}},
		ours: loaded, theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			var text string
			for range 2 { // ours looks again whether anything has changed meanwhile
				text = listed(t, c)
			}
			return text
		},
		broken: func(ctx context.Context, a account.Account) (string, bool) {
			_, err := bucket(a).Look(ctx, at)
			return ofStorage(err)
		},
		failing: func(ctx context.Context, c aws.Config) error {
			_, err := store(c).ListObjectsV2(ctx, &sdks3.ListObjectsV2Input{Bucket: &at.Bucket})
			return err
		},
	}, {
		action: list, note: "in a bucket with a dot", sites: []string{"source/s3/list.go page"}, replies: map[string][]reply{list: {page("")}, versioning: {{body: "<VersioningConfiguration/>"}}},
		ours: func(t *testing.T, a account.Account) any {
			l, err := bucket(a).Look(t.Context(), s3.Location{Bucket: "shop.scripts", Prefix: "sql"})
			return need(t, fmt.Sprint(l.Objects), err)
		},
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			out, err := store(c).ListObjectsV2(t.Context(), &sdks3.ListObjectsV2Input{Bucket: aws.String("shop.scripts"), Prefix: aws.String("sql/"), EncodingType: types.EncodingTypeUrl})
			return need(t, fmt.Sprint(len(out.Contents)), err)
		},
	}, {
		action: get, note: "as it was listed", sites: reads, replies: map[string][]reply{list: {page("", odd)}, get: {found()}}, meant: download,
		ours: loaded, theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			return strings.TrimPrefix(odd, "sql/") + "=" + body(t, c, &sdks3.GetObjectInput{Key: aws.String(odd), IfMatch: &etag}) + ";"
		},
	}, {
		action: get, note: "that breaks off", sites: reads, replies: map[string][]reply{list: {page("", odd)}, get: {half, rest}}, meant: download,
		ours: loaded, theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			in := &sdks3.GetObjectInput{Key: aws.String(odd), IfMatch: &etag}
			begin := body(t, c, in)
			in.Range = aws.String(fmt.Sprintf("bytes=%d-", len(begin)))
			return strings.TrimPrefix(odd, "sql/") + "=" + begin + body(t, c, in) + ";"
		},
	}, {
		action: version, sites: reads, replies: map[string][]reply{version: {found()}}, meant: download,
		ours: func(t *testing.T, a account.Account) any {
			m := release.Manifest{Name: "1", Scripts: []release.Script{release.Describe("V1__a.sql", "", []byte(script))}}
			m.Scripts[0].Object, m.Scripts[0].ObjectVersion = "release-files/0/V1__a.sql", "v1"
			r, err := bucket(a).Store(at).Load(t.Context(), m)
			return string(need(t, r, err).Files[0].Content)
		},
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			return body(t, c, &sdks3.GetObjectInput{Key: aws.String("sql/1/release-files/0/V1__a.sql"), VersionId: aws.String("v1")})
		},
	}, {
		action: versioning, sites: []string{"source/s3/look.go versioning"}, replies: map[string][]reply{list: {page("")},
			versioning: {{body: `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Suspended</Status></VersioningConfiguration>`}}},
		ours: func(t *testing.T, a account.Account) any {
			l, err := bucket(a).Look(t.Context(), at)
			return need(t, l.Versioning, err)
		},
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			out, err := store(c).GetBucketVersioning(t.Context(), &sdks3.GetBucketVersioningInput{Bucket: &at.Bucket})
			return need(t, string(out.Status), err)
		},
	}}, upload())
}

// upload is that a release is pushed: a file, and then the manifest, which must not be there yet.
func upload() row {
	const put = "s3:PutObject"
	return row{
		action: put, sites: []string{"source/s3/object.go put"}, replies: map[string][]reply{"s3:GetObject": {missing()}, put: {{header: map[string]string{"X-Amz-Version-Id": "v7", "ETag": etag}}}},
		ours: func(t *testing.T, a account.Account) any {
			files := source.Release{Files: []migration.File{{Path: "V1__a.sql", Content: []byte(script)}}}
			scripts, err := source.Describe(files)
			m, err2 := release.Build("1", "ana", "sql", time.Now(), need(t, scripts, err))
			pushed, _, err := bucket(a).Store(at).Push(t.Context(), need(t, m, err2), files)
			return need(t, pushed, err).Scripts[0].ObjectVersion
		},
		theirs: func(t *testing.T, c aws.Config, first []taken) any {
			var version string
			if first == nil { // at a stage, which is not told of ours
				first = []taken{{Path: "/sql/2/a", Body: []byte(script)}, {Path: "/sql/2/release.json", Body: []byte("{}")}}
			}
			for i, one := range first {
				sum := sha256.Sum256(one.Body)
				key, _ := url.PathUnescape(strings.TrimPrefix(one.Path, "/"))
				in := &sdks3.PutObjectInput{Bucket: &at.Bucket, Key: &key, Body: bytes.NewReader(one.Body), ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:]))}
				if i == len(first)-1 {
					in.IfNoneMatch = aws.String("*")
				}
				out, err := store(c).PutObject(t.Context(), in)
				version = aws.ToString(need(t, out, err).VersionId)
			}
			return version
		},
		meant: map[string]string{
			"query x-id":                  tells,
			"header X-Amz-Content-Sha256": "the SDK leaves the body to TLS and the checksum, ours signs it too: what is at an endpoint of http is held to it as well",
			"header Content-Type":         "S3 keeps it for whoever downloads by hand, and has binary/octet-stream where there is none", "signed header content-type": "as the header",
		},
	}
}

// store is the SDK's client; whatever is not AWS has its buckets in the path.
func store(c aws.Config) *sdks3.Client {
	return sdks3.NewFromConfig(c, func(o *sdks3.Options) { o.UsePathStyle = c.BaseEndpoint != nil })
}

// listed gives names and texts as loaded does, of two scripts that are alike.
func listed(t *testing.T, c aws.Config) string {
	var text string
	in := &sdks3.ListObjectsV2Input{Bucket: &at.Bucket, Prefix: aws.String("sql/"), EncodingType: types.EncodingTypeUrl}
	for p := sdks3.NewListObjectsV2Paginator(store(c), in); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		for _, o := range need(t, out, err).Contents {
			key := *o.Key
			if out.EncodingType == types.EncodingTypeUrl { // which not every store heeds
				key, err = url.QueryUnescape(key)
			}
			if need(t, key, err); *o.Size != int64(len(script)) || *o.ETag != etag {
				t.Errorf("%+v", o)
			}
			text += strings.TrimPrefix(key, "sql/") + "=" + script + ";"
		}
	}
	return text
}

// body is what an object holds, or as much of it as came.
func body(t *testing.T, c aws.Config, in *sdks3.GetObjectInput) string {
	in.Bucket = &at.Bucket
	out, err := store(c).GetObject(t.Context(), in)
	out = need(t, out, err)
	defer out.Body.Close()
	text, _ := io.ReadAll(out.Body) // it may break off
	return string(text)
}

var faults3 = regexp.MustCompile(`\((\w[\w ]*), status \d+\)`)

// ofStorage is the name of an error of S3; whether it was tried again shows in the requests.
func ofStorage(err error) (name string, again bool) {
	text := fmt.Sprint(err)
	switch {
	case strings.Contains(text, "there is no bucket"):
		return "NoSuchBucket", false
	case strings.Contains(text, "file already exists"): // words for whoever writes; nobody lists what is in conflict
		return "ConflictException", false
	}
	return append(faults3.FindStringSubmatch(text), text, text)[1], false
}
