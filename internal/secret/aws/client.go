package aws

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
)

// plain does not follow redirections: a signature is for one host.
var plain = http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Client makes calls. It does not follow redirections, and trusts whom AWS_CA_BUNDLE names.
func (a Account) Client() (*http.Client, error) {
	roots, err := a.Roots()
	if err != nil || roots == nil {
		return &plain, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	transport.DisableKeepAlives = true // nobody has this client again
	return &http.Client{Transport: transport, CheckRedirect: plain.CheckRedirect}, nil
}

// Roots are the certificates of AWS_CA_BUNDLE, or of the profile's ca_bundle; nil: those of the system.
func (a Account) Roots() (*x509.CertPool, error) {
	file := cmp.Or(a.get("AWS_CA_BUNDLE"), a.profile()["ca_bundle"])
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("AWS_CA_BUNDLE: %s holds no certificate", file)
	}
	return roots, nil
}
