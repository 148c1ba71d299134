package lambda

import (
	"net/url"
	"path"
	"strings"
)

// manifestName is the file whose arrival in a bucket says that a release is there: it comes last, so nothing half
// uploaded is ever deployed.
const manifestName = "release.json"

// object is what an event tells of an object in S3.
type object struct {
	key, version, etag, sequencer string
}

// s3Record is a record of a notification. The SDK's own type refuses records that leave a date empty, as S3's imitations
// do.
type s3Record struct {
	Bucket struct{ Name, ARN string }
	Object struct{ Key, VersionID, ETag, Sequencer string }
}

func (r *s3Record) bucket() string { return r.Bucket.Name }

// object has its key as S3 has it: in notifications it is written as in a query.
func (r *s3Record) object() object {
	key, err := url.QueryUnescape(r.Object.Key)
	if err != nil {
		key = r.Object.Key
	}
	return object{key, r.Object.VersionID, r.Object.ETag, r.Object.Sequencer}
}

// bridgeObject is the detail of EventBridge's event, whose key is written as it is.
type bridgeObject struct {
	Bucket struct{ Name string }
	Object struct {
		Key       string
		VersionID string `json:"version-id"`
		ETag      string
		Sequencer string
	}
}

func (d bridgeObject) object() object {
	return object{d.Object.Key, d.Object.VersionID, d.Object.ETag, d.Object.Sequencer}
}

// addObject adds the request that an object's arrival makes. Its command and environment are the settings' to say.
func (e *Event) addObject(event, bucket string, o object) {
	where := "s3://" + bucket + "/" + o.key
	switch {
	case !strings.Contains(event, "ObjectCreated") && event != "Object Created":
		e.Ignored = append(e.Ignored, where+": "+event+" is no arrival")
		return
	case path.Base(o.key) != manifestName:
		e.Ignored = append(e.Ignored, where+": not the "+manifestName+" of a release")
		return
	}
	release := path.Base(path.Dir(o.key))
	if release == "." || release == "/" {
		e.Ignored = append(e.Ignored, where+": a "+manifestName+" belongs into the folder of its release")
		return
	}
	key := "s3:" + bucket + "/" + o.key
	for _, mark := range []string{o.version, o.etag, o.sequencer} {
		if mark != "" {
			key += "@" + mark
			break
		}
	}
	e.Items = append(e.Items, Item{Request: Request{Release: release, Key: key, Arrived: true}})
}
