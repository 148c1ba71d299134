package release

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Only ed25519 is read, in the three forms that people have it in: OpenSSH's, PKCS 8 (openssl genpkey -algorithm ed25519)
// and 32 bytes in base64. OpenSSH's wire format is lengths and bytes, which is all that is needed of it here; a library
// for it would be linked by every user of package source.

const (
	sshEd25519 = "ssh-ed25519"
	rawEd25519 = "ed25519"
)

// strict refuses bits that do not count: a signature has one spelling.
var strict = base64.StdEncoding.Strict()

// PublicKey is a key that signatures are checked with.
type PublicKey struct{ key ed25519.PublicKey }

// ParsePublicKey reads "ssh-ed25519 AAAA… comment", as in a .pub file, or "ed25519 " and 32 bytes in base64.
func ParsePublicKey(text string) (PublicKey, error) {
	kind, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	if kind != rawEd25519 && kind != sshEd25519 {
		return PublicKey{}, fmt.Errorf("%q is no kind of key that can sign here: write one that begins with %s or %s", kind, sshEd25519, rawEd25519)
	}
	encoded, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	blob, err := strict.DecodeString(encoded)
	if err != nil {
		return PublicKey{}, fmt.Errorf("the key %s… is not base64", head(text))
	}
	switch {
	case kind == sshEd25519:
		return parseBlob(blob)
	case len(blob) != ed25519.PublicKeySize:
		return PublicKey{}, fmt.Errorf("the key %s… has the wrong length", head(text))
	}
	return PublicKey{blob}, nil
}

func head(text string) string { return text[:min(len(text), 30)] }

// parseBlob reads a key in OpenSSH's wire format.
func parseBlob(blob []byte) (PublicKey, error) {
	w := wire{rest: blob}
	kind, key := w.text(), w.bytes()
	if w.failed || len(w.rest) > 0 || kind != sshEd25519 || len(key) != ed25519.PublicKeySize {
		return PublicKey{}, errors.New("it is no ssh-ed25519 key")
	}
	return PublicKey{key}, nil
}

func (k PublicKey) blob() []byte {
	return appendField(appendField(nil, []byte(sshEd25519)), k.key)
}

// String is the key as OpenSSH writes it, without a comment: one spelling for each key.
func (k PublicKey) String() string { return sshEd25519 + " " + strict.EncodeToString(k.blob()) }

// Fingerprint is what ssh-keygen -l shows: "SHA256:…".
func (k PublicKey) Fingerprint() string {
	sum := sha256.Sum256(k.blob())
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Equal reports whether both are the same key, in whatever form they were written.
func (k PublicKey) Equal(other PublicKey) bool { return k.key.Equal(other.key) }

// PrivateKey signs. It prints as ***.
type PrivateKey struct{ key ed25519.PrivateKey }

// String hides the key.
func (PrivateKey) String() string { return "***" }

// GoString hides the key.
func (PrivateKey) GoString() string { return "***" }

// Public gives the key that checks what this one signs.
func (k PrivateKey) Public() PublicKey {
	return PublicKey{ed25519.PublicKey(k.key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])}
}

// ErrLocked says that a private key takes a passphrase, or an agent that knows it.
var ErrLocked = errors.New("the private key is protected by a passphrase")

// ParsePrivateKey reads an ed25519 key in PEM, OpenSSH's or PKCS 8. ErrLocked says that it is encrypted.
func ParsePrivateKey(text []byte) (PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return PrivateKey{}, errors.New("it is no private key in PEM")
	}
	switch block.Type {
	case "OPENSSH PRIVATE KEY":
		return parseOpenSSH(block.Bytes)
	case "PRIVATE KEY":
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if key, ok := parsed.(ed25519.PrivateKey); err == nil && ok {
			return PrivateKey{key}, nil
		}
		return PrivateKey{}, errors.New("it is no ed25519 key")
	case "ENCRYPTED PRIVATE KEY":
		return PrivateKey{}, ErrLocked
	}
	return PrivateKey{}, fmt.Errorf("a %s is no key that can sign here: make one with ssh-keygen -t ed25519", block.Type)
}

func parseOpenSSH(text []byte) (PrivateKey, error) {
	bad := errors.New("it is no OpenSSH key of one ed25519 key")
	text, ok := bytes.CutPrefix(text, []byte("openssh-key-v1\x00"))
	if !ok {
		return PrivateKey{}, bad
	}
	w := wire{rest: text}
	cipher := w.text()
	w.bytes() // the function that makes a key of a passphrase
	w.bytes() // its options
	count := w.number()
	public, secret := w.bytes(), w.bytes()
	if w.failed || count != 1 {
		return PrivateKey{}, bad
	}
	if cipher != "none" {
		return PrivateKey{}, ErrLocked
	}
	w = wire{rest: secret}
	first, second := w.number(), w.number() // the same twice, so that a wrong passphrase is noticed
	kind := w.text()
	w.bytes() // the public key once more
	key := w.bytes()
	if w.failed || first != second || kind != sshEd25519 || len(key) != ed25519.PrivateKeySize {
		return PrivateKey{}, bad
	}
	private := PrivateKey{ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])}
	if !bytes.Equal(private.Public().blob(), public) {
		return PrivateKey{}, bad
	}
	return private, nil
}

// wire reads OpenSSH's fields: a length in four bytes, and what it counts.
type wire struct {
	rest   []byte
	failed bool
}

func (w *wire) number() uint32 {
	if len(w.rest) < 4 {
		w.failed = true
		return 0
	}
	n := binary.BigEndian.Uint32(w.rest)
	w.rest = w.rest[4:]
	return n
}

func (w *wire) bytes() []byte {
	n := int64(w.number())
	if w.failed || n > int64(len(w.rest)) {
		w.failed = true
		return nil
	}
	field := w.rest[:n]
	w.rest = w.rest[n:]
	return field
}

func (w *wire) text() string { return string(w.bytes()) }

func appendField(to, field []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(field))), field...)
}
