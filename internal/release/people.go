package release

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// People are the persons who may sign, by their names, each with one or more public keys (ParsePublicKey reads them).
type People map[string][]string

// Check finds keys that cannot be read and keys that two persons have: who has signed must be told by the key alone. Its
// error joins all mistakes.
func (p People) Check() error {
	var mistakes []error
	owner := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(p)) {
		for _, text := range p[name] {
			key, err := ParsePublicKey(text)
			if err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s: %w", name, err))
				continue
			}
			if other, taken := owner[key.String()]; taken && other != name {
				mistakes = append(mistakes, fmt.Errorf("%s and %s have the same key %s", other, name, key.Fingerprint()))
			}
			owner[key.String()] = name
		}
	}
	return errors.Join(mistakes...)
}

// Owner is the person whose key it is, "" when it is nobody's.
func (p People) Owner(key PublicKey) string {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		for _, text := range p[name] {
			if known, err := ParsePublicKey(text); err == nil && known.Equal(key) {
				return name
			}
		}
	}
	return ""
}

// SignatureError says why a signature does not count.
type SignatureError struct {
	What   string // "release 2026.11", "approval of ana"
	Reason string
	Hint   string
	Err    error
}

func (e *SignatureError) Error() string { return e.What + ": " + e.Reason }

func (e *SignatureError) Unwrap() error { return e.Err }

// ErrUnsigned is inside the SignatureError of what has no signature.
var ErrUnsigned = errors.New("it is not signed")

// signedBy checks a signature and that it is the named person's.
func signedBy(what, person string, s *Signature, namespace string, message []byte, people People) error {
	fail := func(reason, hint string, err error) error {
		return &SignatureError{What: what, Reason: reason, Hint: hint, Err: err}
	}
	if s == nil {
		return fail(ErrUnsigned.Error(), "sign it: set signKey to a private key of yours", ErrUnsigned)
	}
	key, err := s.check(namespace, message)
	if err != nil {
		return fail(err.Error(), "take it from where it was made; nothing was run", err)
	}
	owner := people.Owner(key)
	switch owner {
	case person:
		return nil
	case "":
		return fail(fmt.Sprintf("it is signed by the key %s, which the setting people lists for nobody", key.Fingerprint()),
			"list the key for "+person+" if it is theirs, or have it signed by somebody listed", nil)
	}
	return fail(fmt.Sprintf("it names %s and is signed by a key of %s", person, owner), "whoever is named signs with a key of their own", nil)
}

// payload is what the signature of a manifest is over: all of it but the signature and the places in a store, which are
// known only when it is pushed. Whoever moves an object cannot change what it holds.
func (m Manifest) payload() []byte {
	m.Signature = nil
	m.Scripts = slices.Clone(m.Scripts)
	for i := range m.Scripts {
		m.Scripts[i].Object, m.Scripts[i].ObjectVersion = "", ""
	}
	return m.Encode()
}

// Sign gives the manifest with a signature; the signer should be its author.
func (m Manifest) Sign(sign Signer) (Manifest, error) {
	s, err := sign(NamespaceManifest, m.payload())
	if err != nil {
		return Manifest{}, err
	}
	if _, err := s.check(NamespaceManifest, m.payload()); err != nil {
		return Manifest{}, err
	}
	m.Signature = &s
	return m, nil
}

// CheckSignature tells whether the author has signed the manifest as it is here, with a key that people lists. Its error
// is a *SignatureError.
func (m Manifest) CheckSignature(people People) error {
	if err := m.check(); err != nil {
		return &SignatureError{What: "release " + m.Name, Reason: err.Error(), Hint: "take it from where it was made; nothing was run", Err: err}
	}
	return signedBy("release "+m.Name, m.Author, m.Signature, NamespaceManifest, m.payload(), people)
}

// Signer is the key that has signed the manifest as it is here, whoever's it is.
func (m Manifest) Signer() (PublicKey, error) {
	if m.Signature == nil {
		return PublicKey{}, &SignatureError{What: "release " + m.Name, Reason: ErrUnsigned.Error(), Hint: "sign it: set signKey to a private key of yours", Err: ErrUnsigned}
	}
	key, err := m.Signature.check(NamespaceManifest, m.payload())
	if err != nil {
		err = &SignatureError{What: "release " + m.Name, Reason: err.Error(), Hint: "take it from where it was made; nothing was run", Err: err}
	}
	return key, err
}
