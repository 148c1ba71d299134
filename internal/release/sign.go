package release

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/pem"
	"errors"
	"fmt"
)

// What is signed says what it is, so that a signature under the one is none under the other. ssh-keygen -Y sign wants
// these names with -n.
const (
	NamespaceManifest = "skein-release"
	NamespaceApproval = "skein-approval"
)

// Signature is a signature and the key that made it.
type Signature struct {
	// Format is "ssh" (OpenSSH's SSHSIG, as ssh-keygen -Y sign makes it) or "ed25519" (64 bytes over the namespace, a zero
	// byte and the message).
	Format string `json:"format"`
	// Key is the public key: "ssh-ed25519 AAAA…", without a comment.
	Key string `json:"key"`
	// Value is the signature in base64.
	Value string `json:"value"`
}

const (
	formatSSH = "ssh"
	formatRaw = rawEd25519
)

// Signer signs a message for a purpose, one of the namespaces.
type Signer func(namespace string, message []byte) (Signature, error)

// Sign is a Signer: the same message gives the same signature.
func (k PrivateKey) Sign(namespace string, message []byte) (Signature, error) {
	signed := sshMessage(namespace, nil, "sha512", message)
	blob := appendField(appendField(nil, []byte(sshEd25519)), ed25519.Sign(k.key, signed))
	return Signature{Format: formatSSH, Key: k.Public().String(), Value: strict.EncodeToString(sshSignature(k.Public(), namespace, blob))}, nil
}

// SignRaw is a Signer that leaves the 64 bytes of ed25519 alone, for checking without anything of OpenSSH's.
func (k PrivateKey) SignRaw(namespace string, message []byte) (Signature, error) {
	value := ed25519.Sign(k.key, rawMessage(namespace, message))
	return Signature{Format: formatRaw, Key: k.Public().String(), Value: strict.EncodeToString(value)}, nil
}

// FromSSH takes over what ssh-keygen -Y sign wrote: -----BEGIN SSH SIGNATURE-----.
func FromSSH(armored []byte) (Signature, error) {
	block, _ := pem.Decode(armored)
	if block == nil || block.Type != "SSH SIGNATURE" {
		return Signature{}, errors.New("it is no SSH signature")
	}
	parsed, err := parseSSH(block.Bytes)
	if err != nil {
		return Signature{}, err
	}
	return Signature{Format: formatSSH, Key: parsed.key.String(), Value: strict.EncodeToString(block.Bytes)}, nil
}

// check tells whether the signature is over this message, and by which key.
func (s *Signature) check(namespace string, message []byte) (PublicKey, error) {
	key, err := ParsePublicKey(s.Key)
	if err != nil {
		return key, err
	}
	value, err := strict.DecodeString(s.Value)
	if err != nil {
		return key, errors.New("the signature is not base64")
	}
	switch {
	case s.Key != key.String():
		return key, errors.New("the signature's key is not written as it was")
	case s.Format == formatRaw:
		if !ed25519.Verify(key.key, rawMessage(namespace, message), value) {
			return key, errWrong
		}
		return key, nil
	case s.Format != formatSSH:
		return key, fmt.Errorf("a signature of the format %q is unknown to this version of Skein", s.Format)
	}
	parsed, err := parseSSH(value)
	switch {
	case err != nil:
		return key, err
	case !parsed.key.Equal(key):
		return key, errors.New("the signature was made by another key than it says")
	case parsed.namespace != namespace:
		return key, fmt.Errorf("the signature was made for %q, not for %q", parsed.namespace, namespace)
	case !ed25519.Verify(key.key, sshMessage(namespace, parsed.reserved, parsed.hash, message), parsed.signature):
		return key, errWrong
	}
	return key, nil
}

var errWrong = errors.New("the signature is wrong: what was signed is not what is here")

func rawMessage(namespace string, message []byte) []byte {
	return append([]byte(namespace+"\x00"), message...)
}

// OpenSSH's PROTOCOL.sshsig.
const sshMagic = "SSHSIG"

func sshMessage(namespace string, reserved []byte, hash string, message []byte) []byte {
	sum := sha512.Sum512(message)
	b := appendField([]byte(sshMagic), []byte(namespace))
	b = appendField(b, reserved)
	b = appendField(b, []byte(hash))
	return appendField(b, sum[:])
}

func sshSignature(key PublicKey, namespace string, signature []byte) []byte {
	b := append([]byte(sshMagic), 0, 0, 0, 1)
	b = appendField(b, key.blob())
	b = appendField(b, []byte(namespace))
	b = appendField(b, nil)
	b = appendField(b, []byte("sha512"))
	return appendField(b, signature)
}

type sshParts struct {
	key             PublicKey
	namespace, hash string
	reserved        []byte
	signature       []byte
}

func parseSSH(blob []byte) (sshParts, error) {
	bad := errors.New("it is no SSH signature by an ed25519 key")
	rest, ok := bytes.CutPrefix(blob, []byte(sshMagic))
	if !ok {
		return sshParts{}, bad
	}
	w := wire{rest: rest}
	version, key := w.number(), w.bytes()
	p := sshParts{namespace: w.text(), reserved: w.bytes(), hash: w.text()}
	inner := wire{rest: w.bytes()}
	kind := inner.text()
	p.signature = inner.bytes()
	if w.failed || inner.failed || len(w.rest) > 0 || len(inner.rest) > 0 || version != 1 || kind != sshEd25519 {
		return sshParts{}, bad
	}
	if p.hash != "sha512" {
		return sshParts{}, fmt.Errorf("an SSH signature over a %s is not read: leave ssh-keygen's hash as it is", p.hash)
	}
	var err error
	if p.key, err = parseBlob(key); err != nil {
		return sshParts{}, bad
	}
	return p, nil
}
