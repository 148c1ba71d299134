//go:build unix

package wire

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein/internal/pgserver"
	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/secret"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	der  []byte
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	a := authority{key: newKey(t), cert: &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Unix(4e9, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}}
	a.der = sign(t, a.cert, a.cert, a.key.Public(), a.key)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, cert, parent *x509.Certificate, public crypto.PublicKey, key crypto.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// issue makes a certificate and its key, PKCS-8 in DER.
func (a authority) issue(t *testing.T, name string, ips ...net.IP) (cert, key []byte) {
	t.Helper()
	private := newKey(t)
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Unix(4e9, 0), IPAddresses: ips,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}, a.cert, private.Public(), a.key), key
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// tlsServer is a server with a certificate for 127.0.0.1, on which the user app is let in by a certificate alone.
func tlsServer(t *testing.T, ca authority) *pgserver.Server {
	t.Helper()
	s := pgtest.Server(t, nil)
	info, err := os.Stat(s.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("%T", info.Sys())
	}
	cert, key := ca.issue(t, "server", net.IPv4(127, 0, 0, 1))
	for name, data := range map[string][]byte{
		"server.crt": pemOf("CERTIFICATE", cert), "server.key": pemOf("PRIVATE KEY", key), "ca.crt": pemOf("CERTIFICATE", ca.der),
		"pg_hba.conf":          []byte("hostssl all app all cert\nlocal all all trust\nhost all all all trust\n"),
		"postgresql.auto.conf": []byte("ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\nssl_ca_file = 'ca.crt'\n"),
	} {
		path := filepath.Join(s.DataDir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Restart(t.Context(), pgserver.Fast); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=postgres sslmode=disable", s.Port, s.User))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }() // the server goes with the test
	if _, err := conn.Exec(t.Context(), "create role app login"); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTLS connects with every mode and form of key that the JDBC driver has, to a server that demands them.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, "our CA"), newAuthority(t, "another CA")
	s := tlsServer(t, ca)
	dir := t.TempDir()
	appCert, appKey := ca.issue(t, "app")
	strangeCert, strangeKey := other.issue(t, "app")
	for name, data := range map[string][]byte{
		"ca.crt": pemOf("CERTIFICATE", ca.der), "other.crt": pemOf("CERTIFICATE", other.der),
		"app.crt": pemOf("CERTIFICATE", appCert), "app.der": appCert, "app.key": pemOf("PRIVATE KEY", appKey), "app.pk8": appKey,
		"strange.crt": pemOf("CERTIFICATE", strangeCert), "strange.pk8": strangeKey,
		"home/.postgresql/postgresql.crt": pemOf("CERTIFICATE", appCert), "home/.postgresql/postgresql.pk8": appKey,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	admin := connectTLS(t, s, dir, "127.0.0.1", "user="+s.User+"&sslmode=disable", "")
	if admin != "plain" {
		t.Fatalf("the server is not as it should be: %s", admin)
	}
	for _, c := range []struct{ name, host, params, home, want string }{
		{"disable", "127.0.0.1", "user=USER&sslmode=disable", "", "plain"},
		{"prefer by default", "127.0.0.1", "user=USER", "", "TLS"},
		{"require", "localhost", "user=USER&sslmode=require", "", "TLS"},
		{"verify-full", "127.0.0.1", "user=USER&sslmode=verify-full&sslrootcert=DIR/ca.crt", "", "TLS"},
		{"ssl alone is verify-full", "127.0.0.1", "user=USER&ssl&sslrootcert=DIR/ca.crt", "", "TLS"},
		{"verify-full, other name", "localhost", "user=USER&sslmode=verify-full&sslrootcert=DIR/ca.crt", "", "error: valid for"},
		{"ssl=true, other name", "localhost", "user=USER&ssl=true&sslrootcert=DIR/ca.crt", "", "error: valid for"},
		{"verify-ca, other name", "localhost", "user=USER&sslmode=verify-ca&sslrootcert=DIR/ca.crt", "", "TLS"},
		{"verify-ca, other CA", "127.0.0.1", "user=USER&sslmode=verify-ca&sslrootcert=DIR/other.crt", "", "error: certificate signed by unknown authority"},
		{"verify-full, other CA", "127.0.0.1", "user=USER&sslmode=verify-full&sslrootcert=DIR/other.crt", "", "error: certificate signed by unknown authority"},
		{"not validating", "localhost", "user=USER&ssl=true&sslfactory=org.postgresql.ssl.NonValidatingFactory&sslrootcert=DIR/other.crt", "", "TLS"},
		{"no CA", "127.0.0.1", "user=USER&sslmode=verify-ca&sslrootcert=DIR/none.crt", "", "error: no such file"},
		{"no client certificate", "127.0.0.1", "user=app&sslmode=require", "", "error: connection requires a valid client certificate"},
		{"PEM", "127.0.0.1", "user=app&sslmode=verify-full&sslrootcert=DIR/ca.crt&sslcert=DIR/app.crt&sslkey=DIR/app.key", "", "TLS /CN=app"},
		{"PKCS-8 DER", "127.0.0.1", "user=app&sslmode=verify-full&sslrootcert=DIR/ca.crt&sslcert=DIR/app.crt&sslkey=DIR/app.pk8", "", "TLS /CN=app"},
		{"certificate in DER", "127.0.0.1", "user=app&sslmode=require&sslcert=DIR/app.der&sslkey=DIR/app.pk8", "", "TLS /CN=app"},
		{"the home folder's", "127.0.0.1", "user=app&sslmode=require", "home", "TLS /CN=app"},
		{"a stranger's certificate", "127.0.0.1", "user=app&sslmode=require&sslcert=DIR/strange.crt&sslkey=DIR/strange.pk8", "", "error: "},
		{"a key of another certificate", "127.0.0.1", "user=app&sslmode=require&sslcert=DIR/app.crt&sslkey=DIR/strange.pk8", "", "error: private key does not match public key"},
		{"no key there", "127.0.0.1", "user=app&sslmode=require&sslcert=DIR/app.crt&sslkey=DIR/none.pk8", "", "error: no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			params := strings.NewReplacer("USER", s.User, "DIR", dir).Replace(c.params)
			got := connectTLS(t, s, dir, c.host, params, c.home)
			want, failing := strings.CutPrefix(c.want, "error: ")
			if failing && !(strings.HasPrefix(got, "error: ") && strings.Contains(got, want)) || !failing && got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// connectTLS connects as the command does and says how: "plain", "TLS", "TLS /CN=app" or an error.
func connectTLS(t *testing.T, s *pgserver.Server, dir, host, params, home string) string {
	t.Helper()
	w := World{Dir: dir}
	if home != "" {
		w.Home = filepath.Join(dir, home)
	}
	url := fmt.Sprintf("-url=jdbc:postgresql://%s:%d/postgres?%s", host, s.Port, params)
	c, _, err := Engine(loadSettings(t, url), w, false, &secret.Redactor{})
	if err != nil {
		return "error: " + err.Error()
	}
	cfg, err := c.Connection(t.Context())
	if err != nil {
		return "error: " + err.Error()
	}
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		return "error: " + err.Error()
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }() // the server goes with the test
	var how string
	err = conn.QueryRow(t.Context(), `select case when ssl then 'TLS' else 'plain' end || coalesce(' ' || client_dn, '') from pg_stat_ssl where pid = pg_backend_pid()`).Scan(&how)
	if err != nil {
		return "error: " + err.Error()
	}
	return how
}
