package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotAfter: time.Unix(4e9, 0)}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", ecDER, []byte("canary"), x509.PEMCipherAES256) //nolint:staticcheck // what libpq users have
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	files := map[string][]byte{
		"c.pem": encode("CERTIFICATE", certDER), "c.der": certDER,
		"k.pk8": keyDER, "k.pem": encode("PRIVATE KEY", keyDER), "k.ec": encode("EC PRIVATE KEY", ecDER), "k.old": pem.EncodeToMemory(encrypted),
		"k.enc": encode("ENCRYPTED PRIVATE KEY", []byte("x")), "k.bad": []byte("not a key"),
		"/home/.postgresql/postgresql.crt": certDER, "/home/.postgresql/postgresql.pk8": keyDER,
		"/half/.postgresql/postgresql.crt": certDER,
	}
	read := func(path string) ([]byte, error) {
		if data, ok := files[path]; ok {
			return data, nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	for _, c := range []struct {
		cert, key, password, mode, home string
		want                            string // an error's part, "none" or "one"
	}{
		{"c.pem", "k.pk8", "", "require", "", "one"},
		{"c.der", "k.pem", "", "require", "", "one"},
		{"c.pem", "k.ec", "", "require", "", "one"},
		{"c.pem", "k.old", "canary", "require", "", "one"},
		{"c.pem", "k.old", "wrong", "require", "", "cannot be decrypted with sslpassword"},
		{"c.pem", "k.enc", "", "require", "", "openssl pkcs8"},
		{"c.pem", "k.bad", "", "require", "", "openssl pkcs8"},
		{"k.bad", "k.pk8", "", "require", "", "neither PEM nor DER"},
		{"gone.pem", "k.pk8", "", "require", "", "gone.pem"},
		{"c.pem", "gone.pk8", "", "require", "", "gone.pk8"},
		{"", "", "", "require", "/home", "one"},
		{"", "", "", "disable", "/home", "none"},
		{"", "", "", "", "/home", "none"}, // postgres://: pgx looks itself
		{"", "", "", "prefer", "/half", "none"},
		{"", "", "", "prefer", "/nobody", "none"},
		{"", "", "", "prefer", "", "none"},
	} {
		settings := config.TLS{Mode: c.mode, Cert: c.cert, Key: c.key, Password: secret.New(c.password)}
		certs, err := settings.Certificates(c.home, read)
		got := map[int]string{0: "none", 1: "one"}[len(certs)]
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %s: got %q, want %q", c.cert, c.key, got, c.want)
		}
	}
}
