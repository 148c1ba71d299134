package aurora

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	_ "embed" // the certificates
	"fmt"
	"io"
	"sync"

	"github.com/jackc/pgx/v5"
)

// packed are the certificates that AWS publishes for RDS and Aurora, of all regions that were known when they were taken
// (NOTICE says from where; the command in refresh takes newer ones).
//
//go:embed roots.pem.gz
var packed []byte

// Roots are those certificates. Unpacking them takes some milliseconds, so it is done only where a server at RDS is to be
// verified.
var Roots = sync.OnceValues(func() (*x509.CertPool, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("the certificates of RDS: %w", err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("the certificates of RDS: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the certificates of RDS: none could be read")
	}
	return pool, nil
})

// Trust has connections to servers at RDS verified with RDS's own certificates, where they are verified and no sslrootcert
// says with which.
func Trust(cfg *pgx.ConnConfig) error {
	trust := func(host string, c *tls.Config) error {
		if c == nil || c.RootCAs != nil || !verifies(c) || PlaceOf(host) == Elsewhere {
			return nil
		}
		roots, err := Roots()
		if err == nil {
			c.RootCAs = roots
		}
		return err
	}
	err := trust(cfg.Host, cfg.TLSConfig)
	for _, f := range cfg.Fallbacks {
		if err == nil {
			err = trust(f.Host, f.TLSConfig)
		}
	}
	return err
}

// verifies reports whether the server's certificate is looked at: verify-full has the standard library do it, verify-ca a
// function.
func verifies(c *tls.Config) bool { return !c.InsecureSkipVerify || c.VerifyPeerCertificate != nil }

// Unverified reports whether a connection to RDS would be made without looking at the server's certificate.
func Unverified(cfg *pgx.ConnConfig) bool {
	return PlaceOf(cfg.Host) != Elsewhere && (cfg.TLSConfig == nil || !verifies(cfg.TLSConfig))
}
