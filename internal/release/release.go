// Package release says what a release is: an immutable set of scripts with a digest, in a manifest that may be signed,
// and the approvals that people give for it. It is pure: bytes and times are arguments, and files, stores and agents are
// other packages' business.
package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Format is the version of manifests and approvals that this package writes and reads.
const Format = 1

// Manifest is one release. Build makes it; its exported fields are what the file release.json holds.
type Manifest struct {
	Format  int       `json:"format"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"` // UTC
	// Author is the person who made it, under the name that the setting people has where the manifest is signed.
	Author string `json:"author"`
	// Source is what was read, for a person: "git:v7:sql at commit 1f3a…", "s3://bucket/prefix", "filesystem:sql".
	Source string `json:"source"`
	// Scripts are the files that a source loads, callbacks and .conf files included, in the order of loading.
	Scripts []Script `json:"scripts"`
	// Digest is "sha256:" and the hash of paths and contents in their order. It does not depend on name, author, time or
	// place: the same scripts have the same digest everywhere.
	Digest    string     `json:"digest"`
	Signature *Signature `json:"signature,omitempty"`
}

// Script is one file of a release.
type Script struct {
	Path     string `json:"path"`     // below its location, "/" separated, as the history names it
	Location string `json:"location"` // where it was loaded from
	Size     int64  `json:"size"`     // bytes
	SHA256   string `json:"sha256"`   // hex
	// Object is where a store keeps it, below the release's folder; of a release that is in no store, the place that it
	// was read from. ObjectVersion is the store's name for this version of the object, "" where a store keeps none.
	Object        string `json:"object,omitempty"`
	ObjectVersion string `json:"objectVersion,omitempty"`
}

// Describe gives the entry of a file without its place.
func Describe(path, location string, content []byte) Script {
	sum := sha256.Sum256(content)
	return Script{Path: path, Location: location, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
}

// DescribeFrom is Describe for a file that is read as it is hashed.
func DescribeFrom(path, location string, content io.Reader) (Script, error) {
	hash := sha256.New()
	n, err := io.Copy(hash, content)
	return Script{Path: path, Location: location, Size: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, err
}

// Build makes an unsigned manifest. The error says what is wrong with the name, or that there is no script.
func Build(name, author, source string, created time.Time, scripts []Script) (Manifest, error) {
	if err := CheckName(name); err != nil {
		return Manifest{}, err
	}
	if len(scripts) == 0 {
		return Manifest{}, errors.New("a release without scripts is none")
	}
	return Manifest{
		Format: Format, Name: name, Created: created.UTC().Truncate(time.Millisecond), Author: author, Source: source,
		Scripts: scripts, Digest: DigestOf(scripts),
	}, nil
}

// CheckName tells whether a release may be called that: up to 100 letters, digits, dots, dashes, underscores and plus
// signs, the first of them a letter or digit. A name is part of a path in every store.
func CheckName(name string) error {
	plain := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' }
	other := func(r rune) bool { return !plain(r) && !strings.ContainsRune("._+-", r) }
	if name == "" || len(name) > 100 || !plain(rune(name[0])) || strings.ContainsFunc(name, other) {
		return fmt.Errorf("%q is no name for a release: up to 100 of A-Z a-z 0-9 . _ + -, beginning with a letter or digit", name)
	}
	return nil
}

// DigestOf is the digest of scripts: "sha256:" and 64 hex digits.
func DigestOf(scripts []Script) string {
	hash := sha256.New()
	_, _ = io.WriteString(hash, "skein release 1\n") // a hash takes everything
	for _, s := range scripts {
		_, _ = io.WriteString(hash, s.SHA256+" "+strconv.Quote(s.Path)+"\n")
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil))
}

// Encode writes a manifest as release.json has it. The same manifest gives the same bytes.
func (m Manifest) Encode() []byte {
	m.Created = m.Created.UTC()
	return encode(m)
}

// Decode reads what Encode wrote. Another format, an unknown field, a digest that does not belong to the scripts and any
// byte that Encode would not have written are errors.
func Decode(text []byte) (Manifest, error) {
	var m Manifest
	if err := decode(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("not a release's manifest: %w", err)
	}
	if err := m.check(); err != nil {
		return Manifest{}, err
	}
	if !bytes.Equal(m.Encode(), text) {
		return Manifest{}, errors.New("not a release's manifest as it was written: its form was changed")
	}
	return m, nil
}

// check looks for what would make a manifest lie about itself.
func (m Manifest) check() error {
	if err := CheckName(m.Name); err != nil {
		return err
	}
	if len(m.Scripts) == 0 {
		return fmt.Errorf("release %s has no scripts", m.Name)
	}
	if want := DigestOf(m.Scripts); want != m.Digest {
		return fmt.Errorf("release %s was changed: its scripts have the digest %s, and the manifest says %s", m.Name, want, m.Digest)
	}
	return nil
}

// encode writes JSON for people: two blanks, a line feed at the end, no escapes that only HTML needs.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic("release: " + err.Error()) // there is no value that these types cannot write
	}
	return b.Bytes()
}

// decode reads the format before anything else, so that what a newer version wrote is named as such.
func decode(text []byte, v any) error {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("it is no JSON: %w", err)
	}
	if head.Format != Format {
		return fmt.Errorf("its format is %d, and this version of Skein reads format %d", head.Format, Format)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
