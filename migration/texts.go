package migration

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// Texts keeps what the files amount to, whatever the placeholders are: their texts, checksums and digests. Many runs on
// the same files share one and read each file once. It is for files that do not change; the zero value is ready.
type Texts struct{ known sync.Map } // textKey → *content or largeSums

type textKey struct {
	location, path, encoding string
	detect, large            bool
}

// content is a file that was decoded.
type content struct {
	text     string
	checksum int32
	err      error // of decoding
	bytes    []byte

	summing      sync.Once
	sum, textSum [32]byte // SHA-256 of the bytes and of the text
}

// digests works them out when they are first asked for: most runs never do.
func (c *content) digests() (file, text [32]byte) {
	c.summing.Do(func() {
		c.sum = sha256.Sum256(c.bytes)
		if c.textSum = c.sum; c.text != view(c.bytes) {
			c.textSum = sha256.Sum256([]byte(c.text))
		}
	})
	return c.sum, c.textSum
}

func (r *resolver) key(f File, config ScriptConfig) textKey {
	return textKey{location: f.Location, path: f.Path, encoding: orElse(config.Encoding, r.opt.Encoding), detect: r.opt.DetectEncoding && config.Encoding == ""}
}

// content decodes the file, unless that was done before.
func (r *resolver) content(f File, config ScriptConfig) (*content, error) {
	key := r.key(f, config)
	if r.opt.Texts != nil {
		if have, ok := r.opt.Texts.known.Load(key); ok {
			return have.(*content), nil
		}
	}
	c, err := r.decoded(f, key)
	if err == nil && r.opt.Texts != nil {
		have, _ := r.opt.Texts.known.LoadOrStore(key, c)
		c = have.(*content)
	}
	return c, err
}

// decoded gives an error only for what cannot be read.
func (r *resolver) decoded(f File, key textKey) (*content, error) {
	if f.Open != nil {
		var err error
		if f.Content, err = f.whole(); err != nil {
			return nil, err
		}
	}
	encoding := key.encoding
	if key.detect {
		encoding = detectEncoding(f.Content)
	}
	text, err := decode(f.Content, encoding)
	if err != nil {
		return &content{err: undecodable(f, encoding, err)}, nil
	}
	return &content{text: text, checksum: Checksum(text), bytes: f.Content}, nil
}

// sums reads a large file through, unless that was done before.
func (r *resolver) sums(f File, config ScriptConfig) (sums, error) {
	key := r.key(f, config)
	key.large = true
	if r.opt.Texts != nil {
		if have, ok := r.opt.Texts.known.Load(key); ok {
			return have.(sums), nil
		}
	}
	in, err := f.Open()
	if err != nil {
		return sums{}, err
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := sumUTF8(in)
	if err == nil && r.opt.Texts != nil {
		r.opt.Texts.known.Store(key, out)
	}
	return out, err
}

// SHA256 is the SHA-256 of the file's bytes, in hexadecimal, as a release's manifest has it; "" for Go functions, which
// have none. It is worked out when it is first asked for.
func (s *Script) SHA256() string {
	var sum [32]byte
	switch {
	case s.Open != nil:
		sum = s.rawDigest
	case s.content != nil:
		sum, _ = s.content.digests()
	case s.Type == TypeJDBC:
		return ""
	default:
		sum = sha256.Sum256([]byte(s.Text))
	}
	return hex.EncodeToString(sum[:])
}

// digest is the SHA-256 of the text.
func (s *Script) digest() [32]byte {
	switch {
	case s.Open != nil:
		return s.Digest
	case s.content != nil:
		_, sum := s.content.digests()
		return sum
	}
	return sha256.Sum256([]byte(s.Text))
}
