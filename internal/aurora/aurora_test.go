package aurora

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/pem"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestPlaceOf(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]Place{
		"shop.cluster-abc123.eu-west-1.rds.amazonaws.com":              Writer,
		"Shop.Cluster-ABC123.eu-west-1.RDS.amazonaws.com.":             Writer,
		"shop.cluster-ro-abc123.eu-west-1.rds.amazonaws.com":           Reader,
		"shop.cluster-custom-abc123.eu-west-1.rds.amazonaws.com":       Custom,
		"shop.proxy-abc123.eu-west-1.rds.amazonaws.com":                Proxy,
		"mine.endpoint.proxy-abc123.eu-west-1.rds.amazonaws.com":       Proxy,
		"shop.global-abc123.global.rds.amazonaws.com":                  Writer,
		"shop-1.abc123.eu-west-1.rds.amazonaws.com":                    Instance,
		"shop.cluster-abc123.rds.cn-north-1.amazonaws.com.cn":          Writer,
		"shop.cluster-ro-abc123.rds.cn-north-1.amazonaws.com.cn":       Reader,
		"shop.cluster-ro-abc123.eusc-de-east-1.rds.amazonaws.eu":       Reader,
		"cluster-ro-shop.abc123.eu-west-1.rds.amazonaws.com":           Instance,
		"shop.cluster-ro-abc123.eu-west-1.rds.amazonaws.com.evil.test": Elsewhere,
		"db.example.com": Elsewhere, "127.0.0.1": Elsewhere, "/var/run/postgresql": Elsewhere, "": Elsewhere,
	} {
		if got := PlaceOf(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

// TestRoots: what is built in is what AWS's own bundle holds for regions in use, and nothing that has ended.
func TestRoots(t *testing.T) {
	t.Parallel()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	soon := time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !c.IsCA || c.NotAfter.Before(soon) {
			t.Errorf("%v %v until %v", err, c.Subject, c.NotAfter)
		}
		names[c.Subject.CommonName] = true
	}
	for _, name := range []string{"Amazon RDS eu-central-1 Root CA RSA2048 G1", "Amazon RDS us-east-1 Root CA ECC384 G1", "Amazon RDS ap-southeast-1 Root CA RSA4096 G1", "Amazon Root CA 1"} {
		if !names[name] {
			t.Errorf("%s is not among %d", name, len(names))
		}
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	roots, err := Roots()
	if err != nil {
		t.Fatal(err)
	}
	const rds = "shop.cluster-abc123.eu-west-1.rds.amazonaws.com"
	for _, c := range []struct {
		url              string
		ours, unverified bool
	}{
		{"postgres://u@" + rds + "/shop?sslmode=verify-full", true, false},
		{"postgres://u@" + rds + "/shop?sslmode=verify-ca", true, false},
		{"postgres://u@" + rds + "/shop?sslmode=require", false, true},
		{"postgres://u@" + rds + "/shop?sslmode=disable", false, true},
		{"postgres://u@" + rds + "/shop?sslrootcert=system", false, false},
		{"postgres://u@db.example.com/shop?sslmode=verify-full", false, false},
		{"postgres://u@db.example.com/shop?sslmode=disable", false, false},
	} {
		cfg, err := pgx.ParseConfig(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := Trust(cfg); err != nil {
			t.Fatal(err)
		}
		ours := cfg.TLSConfig != nil && cfg.TLSConfig.RootCAs == roots
		if ours != c.ours || Unverified(cfg) != c.unverified {
			t.Errorf("%s: ours %t, unverified %t", c.url, ours, Unverified(cfg))
		}
	}
	cfg, err := pgx.ParseConfig("postgres://u@db.example.com,shop-1.abc123.eu-west-1.rds.amazonaws.com/shop?sslmode=verify-full")
	if err != nil {
		t.Fatal(err)
	}
	if err := Trust(cfg); err != nil || cfg.TLSConfig.RootCAs != nil || cfg.Fallbacks[0].TLSConfig.RootCAs != roots || !strings.HasSuffix(cfg.Fallbacks[0].Host, "amazonaws.com") {
		t.Errorf("of two hosts the second: %v", err)
	}
}
