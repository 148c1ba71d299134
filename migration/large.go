package migration

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf8"
)

// large resolves a script that is not held: its file is read once, for checksum and digest. It reports false for what
// has to be held all the same: small files, programs, repeatables, whose checksum is that of a text with placeholders
// replaced, and texts in another encoding than UTF-8; and for faults, which are told by who reads the whole.
func (r *resolver) large(f File, s *Script) bool {
	if f.Open == nil || s.Program || s.Kind == Repeatable {
		return false
	}
	config, err := r.config(f)
	if err != nil || orElse(config.Encoding, r.opt.Encoding) != "" && !isUTF8(orElse(config.Encoding, r.opt.Encoding)) {
		return false
	}
	if config.Encoding == "" && r.opt.DetectEncoding {
		return false
	}
	sums, err := r.sums(f, config)
	if err != nil {
		return false
	}
	s.Config, s.RawChecksum, s.Digest, s.rawDigest = config, sums.checksum, sums.text, sums.raw
	s.Open = func() (io.ReadCloser, error) { return openText(f) }
	return true
}

func isUTF8(name string) bool {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "utf-8", "utf8", "utf_8":
		return true
	}
	return false
}

var (
	bom        = []byte("\ufeff")
	errNotUTF8 = errors.New("not UTF-8")
)

// sums are what one reading of a text gives.
type sums struct {
	checksum int32
	text     [32]byte // the SHA-256 without its byte order mark
	raw      [32]byte // with it
}

// sumUTF8 works out the sums of a text that is read.
func sumUTF8(in io.Reader) (sums, error) {
	whole := sha256.New()
	var marked hash.Hash // with the byte order mark; nil: there is none
	buffer := make([]byte, 256<<10)
	var crc uint32
	for kept, first := 0, true; ; first = false {
		n, err := io.ReadFull(in, buffer[kept:])
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return sums{}, err
		}
		data := buffer[:kept+n]
		whole.Write(data[kept:]) // hashes do not fail
		if marked != nil {
			marked.Write(data[kept:])
		}
		text := data
		if !last {
			text = data[:wholeCharacters(data)]
		}
		if !utf8.Valid(text) {
			return sums{}, errNotUTF8
		}
		rest := len(data) - len(text)
		if first { // the mark that decode drops, and the one that Checksum does
			if bytes.HasPrefix(text, bom) {
				text = text[len(bom):]
				marked = whole
				whole = sha256.New()
				whole.Write(data[len(bom):])
			}
			text = bytes.TrimPrefix(text, bom)
		}
		crc = updateLines(crc, text)
		if last {
			out := sums{checksum: int32(crc), text: [32]byte(whole.Sum(nil))}
			if out.raw = out.text; marked != nil {
				out.raw = [32]byte(marked.Sum(nil))
			}
			return out, nil
		}
		kept = copy(buffer, data[len(data)-rest:])
	}
}

// updateLines adds lines to a checksum, without their ends.
func updateLines(crc uint32, text []byte) uint32 {
	ends := "\n" // looking for one character is far quicker than for either of two
	if bytes.IndexByte(text, '\r') >= 0 {
		ends = "\r\n"
	}
	for len(text) > 0 {
		n := bytes.IndexAny(text, ends)
		if n < 0 {
			n = len(text)
		}
		crc = crc32.Update(crc, crc32.IEEETable, text[:n])
		text = text[min(n+1, len(text)):]
	}
	return crc
}

// wholeCharacters is how many of the bytes belong to characters that are there whole.
func wholeCharacters(data []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(data); n++ {
		if at := len(data) - n; utf8.RuneStart(data[at]) {
			if !utf8.FullRune(data[at:]) {
				return at
			}
			break
		}
	}
	return len(data)
}

// openText opens a large file behind its byte order mark.
func openText(f File) (io.ReadCloser, error) {
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	var head [3]byte
	n, err := io.ReadFull(in, head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.Join(err, in.Close())
	}
	start := bytes.TrimPrefix(head[:n], bom)
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), in), in}, nil
}

// whole reads a large file that has to be held.
func (f File) whole() ([]byte, error) {
	in, err := f.Open()
	if err == nil {
		var content []byte
		content, err = io.ReadAll(in)
		if err = errors.Join(err, in.Close()); err == nil {
			return content, nil
		}
	}
	return nil, &Error{Code: CodeError, Path: orElse(f.Physical, f.Path), Message: fmt.Sprintf("cannot be read: %v", err), Hint: "let the user who runs Skein read it; nothing was run", Err: err}
}
