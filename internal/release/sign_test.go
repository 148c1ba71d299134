package release_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/release"
)

// key makes a key pair of its own for each name.
func key(t *testing.T, name string) release.PrivateKey {
	t.Helper()
	seed := bytes.Repeat([]byte(name), 32)[:ed25519.SeedSize]
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	k, err := release.ParsePrivateKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestManifestSignature(t *testing.T) {
	t.Parallel()
	ana, bob := key(t, "ana"), key(t, "bob")
	people := release.People{"ana": {"ssh-ed25519 " + strings.Fields(ana.Public().String())[1] + " ana@desk"}, "bob": {bob.Public().String()}}
	signers := map[string]release.Signer{"ssh": ana.Sign, "ed25519": ana.SignRaw}
	for format, sign := range signers {
		m, err := sample(t).Sign(sign)
		if err != nil {
			t.Fatal(err)
		}
		if m, err = release.Decode(m.Encode()); err != nil || m.Signature.Format != format {
			t.Fatalf("%v, %v", m.Signature, err)
		}
		if err := m.CheckSignature(people); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		// Where a store keeps a script is not signed: it is known only after the push.
		m.Scripts[0].Object, m.Scripts[0].ObjectVersion = "x", "y"
		if err := m.CheckSignature(people); err != nil {
			t.Errorf("%s: %v", format, err)
		}
		for what, spoil := range map[string]func(*release.Manifest){
			"another name":     func(m *release.Manifest) { m.Name = "x" },
			"another author":   func(m *release.Manifest) { m.Author = "bob" },
			"another time":     func(m *release.Manifest) { m.Created = m.Created.Add(time.Second) },
			"another source":   func(m *release.Manifest) { m.Source = "x" },
			"another location": func(m *release.Manifest) { m.Scripts[0].Location = "x" },
			"another content":  func(m *release.Manifest) { m.Scripts[0].SHA256 = "x" },
			"another list": func(m *release.Manifest) {
				m.Scripts = m.Scripts[:1]
				m.Digest = release.DigestOf(m.Scripts)
			},
			"no signature":      func(m *release.Manifest) { m.Signature = nil },
			"another key":       func(m *release.Manifest) { m.Signature.Key = bob.Public().String() },
			"a key's comment":   func(m *release.Manifest) { m.Signature.Key += " x" },
			"another format":    func(m *release.Manifest) { m.Signature.Format = "pgp" },
			"no base64":         func(m *release.Manifest) { m.Signature.Value = "?" },
			"a cut signature":   func(m *release.Manifest) { m.Signature.Value = m.Signature.Value[:8] },
			"an approval's one": func(m *release.Manifest) { *m.Signature = other(t, sign, m) },
		} {
			bad := m
			bad.Scripts = append([]release.Script(nil), m.Scripts...)
			signature := *m.Signature
			bad.Signature = &signature
			spoil(&bad)
			err := bad.CheckSignature(people)
			if _, ok := errors.AsType[*release.SignatureError](err); !ok {
				t.Errorf("%s, %s: got %v", format, what, err)
			}
		}
	}
}

// other signs the manifest's bytes for another purpose.
func other(t *testing.T, sign release.Signer, m *release.Manifest) release.Signature {
	t.Helper()
	unsigned := *m
	unsigned.Signature = nil
	s, err := sign(release.NamespaceApproval, unsigned.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhoSigned(t *testing.T) {
	t.Parallel()
	m, err := sample(t).Sign(key(t, "ana").Sign)
	if err != nil {
		t.Fatal(err)
	}
	ana, bob := key(t, "ana").Public(), key(t, "bob").Public()
	for want, people := range map[string]release.People{
		"":                                   {"ana": {bob.String(), ana.String()}},
		"which the setting people lists for": {"ana": {bob.String()}},
		"it names ana and is signed by a key of bob": {"bob": {ana.String()}},
	} {
		err := m.CheckSignature(people)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if err := sample(t).CheckSignature(release.People{"ana": {ana.String()}}); !errors.Is(err, release.ErrUnsigned) {
		t.Errorf("got %v", err)
	}
	err = release.People{"ana": {ana.String(), "rsa x"}, "bob": {rawText(ana), "ssh-ed25519 ?"}}.Check()
	for _, want := range []string{"ana: \"rsa\" is no kind of key", "bob: the key ssh-ed25519 ?… is not base64", "ana and bob have the same key " + ana.Fingerprint()} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// rawText writes a key the short way.
func rawText(k release.PublicKey) string {
	blob, err := base64.StdEncoding.DecodeString(strings.Fields(k.String())[1])
	if err != nil {
		panic(err)
	}
	return "ed25519 " + base64.StdEncoding.EncodeToString(blob[len(blob)-ed25519.PublicKeySize:])
}

// TestOneByte turns over each byte of an approval, in its file: none of the results counts.
func TestOneByte(t *testing.T) {
	t.Parallel()
	ana := key(t, "ana")
	people := release.People{"ana": {rawText(ana.Public())}}
	for format, sign := range map[string]release.Signer{"ssh": ana.Sign, "ed25519": ana.SignRaw} {
		a, err := release.Approval{
			Release: "2026.11", Digest: sample(t).Digest, Environment: "production", Person: "ana",
			Targets: []release.ApprovedTarget{{Name: "eu", Identity: "7301…/shop", Fingerprint: "ab", HistoryHash: "cd"}},
			Given:   monday, Expires: monday.Add(48 * time.Hour),
		}.Sign(sign)
		if err != nil {
			t.Fatal(err)
		}
		text := a.Encode()
		counts := func(text []byte) error {
			a, err := release.DecodeApproval(text)
			if err != nil {
				return err
			}
			return a.Check(people, monday.Add(time.Hour))
		}
		if err := counts(text); err != nil {
			t.Fatal(err)
		}
		for i := range text {
			for _, with := range []byte{text[i] ^ 1, text[i] ^ 0x20, ' ', '\n'} {
				bad := bytes.Clone(text)
				bad[i] = with
				if with != text[i] && counts(bad) == nil {
					t.Errorf("%s: byte %d of %q may be %q", format, i, text[max(0, i-20):i+1], with)
				}
			}
			if counts(append(bytes.Clone(text[:i]), text[i+1:]...)) == nil {
				t.Errorf("%s: byte %d may be missing", format, i)
			}
		}
	}
}

func TestApprovalTimes(t *testing.T) {
	t.Parallel()
	ana := key(t, "ana")
	people := release.People{"Ana B": {ana.Public().String()}}
	a, err := release.Approval{Release: "1", Environment: "prod/eu", Person: "Ana B", Given: monday, Expires: monday.Add(time.Hour)}.Sign(ana.Sign)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]string{
		-time.Second: "given for a time to come", 0: "", time.Hour - 1: "", time.Hour: "it has expired, on 2026-11-02T08:30:00Z",
	} {
		err := a.Check(people, monday.Add(at))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q, got %v", at, want, err)
		}
	}
	other := a
	other.Digest = "sha256:other"
	for _, a := range []release.Approval{a, other} {
		if got := a.ApprovalName(); !regexp.MustCompile(`^prod_eu-Ana_B-20261102T073000Z-[0-9a-f]{8}\.json$`).MatchString(got) {
			t.Errorf("got %s", got)
		}
	}
	if a.ApprovalName() == other.ApprovalName() {
		t.Error("two approvals have one name")
	}
}

func TestPrivateKeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	k := key(t, "ana")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, k); got != "***" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

// TestOpenSSH holds both directions against OpenSSH: it checks what is signed here, and what it signs is read here.
func TestOpenSSH(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("there is no ssh-keygen here")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "id")
	run := func(stdin []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "ssh-keygen", args...)
		cmd.Stdin = bytes.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("ssh-keygen %v: %v", args, err)
		}
		return out
	}
	read := func(name string) []byte {
		t.Helper()
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	run(nil, "-q", "-t", "ed25519", "-N", "", "-C", "ana", "-f", file)
	private, err := release.ParsePrivateKey(read(file))
	if err != nil {
		t.Fatal(err)
	}
	public, err := release.ParsePublicKey(string(read(file + ".pub")))
	if err != nil || !public.Equal(private.Public()) {
		t.Fatalf("%v: the two halves do not belong together", err)
	}
	if listed := string(run(nil, "-l", "-f", file)); !strings.Contains(listed, public.Fingerprint()) {
		t.Errorf("%s is not in %s", public.Fingerprint(), listed)
	}

	message := []byte("what is signed")
	ours, err := private.Sign(release.NamespaceManifest, message)
	if err != nil {
		t.Fatal(err)
	}
	value, err := base64.StdEncoding.DecodeString(ours.Value)
	if err != nil {
		t.Fatal(err)
	}
	allowed, signature := filepath.Join(dir, "allowed"), filepath.Join(dir, "sig")
	for name, text := range map[string][]byte{
		allowed: []byte("ana " + public.String() + "\n"), signature: pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: value}),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(message, "-Y", "verify", "-f", allowed, "-I", "ana", "-n", release.NamespaceManifest, "-s", signature)

	byAgent := func(namespace string, message []byte) (release.Signature, error) {
		return release.FromSSH(run(message, "-Y", "sign", "-f", file, "-n", namespace))
	}
	m, err := sample(t).Sign(byAgent)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.CheckSignature(release.People{"ana": {string(read(file + ".pub"))}}); err != nil {
		t.Error(err)
	}

	locked, rsa := filepath.Join(dir, "locked"), filepath.Join(dir, "rsa")
	run(nil, "-q", "-t", "ed25519", "-N", "secret", "-f", locked)
	if _, err := release.ParsePrivateKey(read(locked)); !errors.Is(err, release.ErrLocked) {
		t.Errorf("got %v", err)
	}
	run(nil, "-q", "-t", "ecdsa", "-N", "", "-f", rsa)
	if _, err := release.ParsePrivateKey(read(rsa)); err == nil {
		t.Error("a key of another kind is taken")
	}
	if _, err := release.ParsePublicKey(string(read(rsa + ".pub"))); err == nil {
		t.Error("a public key of another kind is taken")
	}
}

// FuzzReaders: whatever the bytes, the readers give an error or what they read.
func FuzzReaders(f *testing.F) {
	f.Add([]byte("-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----\n"))
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f x"))
	f.Add([]byte("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if k, err := release.ParsePublicKey(string(text)); err == nil {
			again, err := release.ParsePublicKey(k.String())
			if err != nil || !again.Equal(k) {
				t.Errorf("%q is read as %s, which is not read again: %v", text, k, err)
			}
		}
		_, _ = release.ParsePrivateKey(text)
		_, _ = release.FromSSH(text)
		if m, err := release.Decode(text); err == nil && !bytes.Equal(m.Encode(), text) {
			t.Errorf("%q is not written again", text)
		}
	})
}
