package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// TLS is how the connection is encrypted.
type TLS struct {
	// Mode is libpq's sslmode: disable allow prefer require verify-ca
	// verify-full. "" for a postgres:// URL, which says it itself.
	Mode string
	// Cert, Key and RootCert are paths; RootCert may be "system". Password
	// decrypts Key.
	Cert, Key, RootCert string
	Password            secret.Text
}

func (t TLS) verifies() bool { return strings.HasPrefix(t.Mode, "verify-") }

var sslModes = []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}

// Classes of the JDBC driver that can be done without Java.
const (
	nonValidating = "org.postgresql.ssl.NonValidatingFactory"
	libpqFactory  = "org.postgresql.ssl.LibPQFactory"
	javaFactory   = "org.postgresql.ssl.DefaultJavaSSLFactory"
)

// factory takes sslfactory.
func (p *urlParser) factory(class string) {
	switch class {
	case libpqFactory, "":
	case nonValidating, javaFactory:
		p.target.keywords["sslfactory"] = class
	default:
		p.fail("use sslmode and sslrootcert", "sslfactory=%s is a Java class, which Skein cannot run", class)
	}
}

// finishTLS settles the mode once every parameter is known.
func (p *urlParser) finishTLS() {
	t := &p.target.TLS
	class := p.target.keywords["sslfactory"]
	delete(p.target.keywords, "sslfactory")
	switch {
	case t.Mode == "" && (p.ssl == "" || strings.EqualFold(p.ssl, "true")):
		t.Mode = "verify-full"
	case t.Mode == "":
		t.Mode = "prefer"
	case !slices.Contains(sslModes, t.Mode):
		p.fail(didYouMean(t.Mode, sslModes), "sslmode=%s is not one of %s", t.Mode, strings.Join(sslModes, ", "))
	}
	switch {
	case class == nonValidating && t.verifies():
		t.Mode = "require"
		p.found.warn(Origin{}, "sslfactory=NonValidatingFactory: the server's certificate is not verified")
	case class == javaFactory && (t.verifies() || t.Mode == "require"):
		t.Mode, t.RootCert = "verify-full", "system"
		p.found.warn(Origin{}, "sslfactory=DefaultJavaSSLFactory: the system's certificates are trusted instead of Java's, and the host name is verified")
	}
	if ext := strings.ToLower(filepath.Ext(t.Key)); ext == ".p12" || ext == ".pfx" {
		p.fail("convert it: openssl pkcs12 -in client.p12 -nodes -out client.pem, and give client.pem as sslcert and sslkey",
			"sslkey=%s is a PKCS-12 file, which Skein does not read", t.Key)
	}
	if (t.Cert == "") != (t.Key == "") {
		p.fail("", "sslcert and sslkey belong together")
	}
}

// Certificates returns the client certificate, none when there is none: the one
// of Cert and Key, else postgresql.crt and postgresql.pk8 of home/.postgresql,
// which the JDBC driver takes by default. Keys are PEM or, as the JDBC driver has
// them, PKCS-8 DER.
func (t TLS) Certificates(home string, readFile func(string) ([]byte, error)) ([]tls.Certificate, error) {
	certPath, keyPath, optional := t.Cert, t.Key, false
	if certPath == "" {
		if home == "" || t.Mode == "" || t.Mode == "disable" {
			return nil, nil
		}
		certPath = filepath.Join(home, ".postgresql", "postgresql.crt")
		keyPath = filepath.Join(home, ".postgresql", "postgresql.pk8")
		optional = true
	}
	cert, err := readFile(certPath)
	if err == nil {
		var key []byte
		if key, err = readFile(keyPath); err == nil {
			return pair(certPath, cert, keyPath, key, t.Password)
		}
	}
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return nil, fmt.Errorf("client certificate: %w", err)
}

func pair(certPath string, cert []byte, keyPath string, key []byte, password secret.Text) ([]tls.Certificate, error) {
	if block, _ := pem.Decode(cert); block == nil {
		if _, err := x509.ParseCertificate(cert); err != nil {
			return nil, fmt.Errorf("sslcert %s is neither PEM nor DER", certPath)
		}
		cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	}
	key, err := keyPEM(keyPath, key, password)
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("sslcert %s with sslkey %s: %w", certPath, keyPath, err)
	}
	return []tls.Certificate{c}, nil
}

// keyPEM returns a private key as unencrypted PEM.
func keyPEM(path string, key []byte, password secret.Text) ([]byte, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		if _, err := x509.ParsePKCS8PrivateKey(key); err != nil {
			return nil, fmt.Errorf("sslkey %s is no unencrypted PKCS-8 key in DER or PEM; decrypt it: openssl pkcs8 -inform DER -in %s -out key.pem", path, filepath.Base(path))
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), nil
	}
	if x509.IsEncryptedPEMBlock(block) { //nolint:staticcheck // the old PEM encryption is weak, and still what libpq users have
		plain, err := x509.DecryptPEMBlock(block, []byte(password.Reveal())) //nolint:staticcheck // see above
		if err != nil {
			return nil, fmt.Errorf("sslkey %s cannot be decrypted with sslpassword: %w", path, err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: plain}), nil
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		return nil, fmt.Errorf("sslkey %s is an encrypted PKCS-8 key, which Skein does not decrypt; decrypt it: openssl pkcs8 -in %s -out key.pem", path, filepath.Base(path))
	}
	return bytes.TrimSpace(key), nil
}
