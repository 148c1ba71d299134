package aws_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/secret/aws"
)

// What variables mean is held against the SDK in internal/awstest/sdk; this is that a profile is heard where it is alone.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	file := filepath.Join(home, "config")
	if err := os.WriteFile(file, []byte("[default]\nservices = local\nendpoint_url = http://all/\n[services local]\nsecrets_manager =\n  endpoint_url = http://own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := aws.Account{Env: []string{"AWS_CONFIG_FILE=" + file}}
	for service, want := range map[string]string{"secretsmanager": "http://own", "ssm": "http://all"} {
		if got, err := a.Endpoint(service, "x"); err != nil || got != want {
			t.Errorf("%s: %s, %v", service, got, err)
		}
	}
	if got, err := (aws.Account{}).Configured("ssm"); err != nil || got != "" {
		t.Errorf("nowhere: %s, %v", got, err)
	}
}

// A host of AWS's of some kind and another in its place cannot both be had: who asks for FIPS is not to get less in silence.
func TestEndpointOfOneKind(t *testing.T) {
	t.Parallel()
	for _, variable := range []string{"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"} {
		a := aws.Account{Env: []string{variable + "=True", "AWS_ENDPOINT_URL_SSM=http://own", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_REGION=eu-west-1"}}
		_, err := a.Parameter(t.Context(), "/x")
		if err == nil || !strings.Contains(err.Error(), variable) || !strings.Contains(err.Error(), "http://own") {
			t.Errorf("%s: %v", variable, err)
		}
		if host, err := a.Endpoint("sts", "eu-west-1"); err != nil || host == "https://sts.eu-west-1.amazonaws.com" {
			t.Errorf("%s: %s, %v", variable, host, err)
		}
	}
}

// TestTrust: AWS_CA_BUNDLE is heard by every call, and one that cannot be read is told.
func TestTrust(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"SecretString":"canary-value"}`) }))
	defer server.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{"good": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), "bad": "none"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for bundle, want := range map[string]string{
		"": "x: 127.0.0.1:", dir + "/good": "canary-value", dir + "/bad": "x: AWS_CA_BUNDLE: " + dir + "/bad holds no certificate", dir + "/none": "x: AWS_CA_BUNDLE: open " + dir + "/none: no such file or directory",
	} {
		a := aws.Account{Env: []string{"AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=canary-env", "AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL=" + server.URL, "AWS_CA_BUNDLE=" + bundle}}
		got, err := a.Read(t.Context(), "x")
		text := got.Reveal()
		if err != nil {
			text = strings.TrimPrefix(err.Error(), "AWS Secrets Manager: ")
		}
		if !strings.HasPrefix(text, want) {
			t.Errorf("%s:\n got %s\nwant %s", bundle, text, want)
		}
	}
}
