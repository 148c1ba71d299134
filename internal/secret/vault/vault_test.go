package vault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/secret/vault"
)

// kv speaks the API of Vault's key-value engine: kv1 is of version 1, kv2 of version 2, and team/kv2 is in a namespace.
func kv(t *testing.T) *httptest.Server {
	t.Helper()
	secrets := map[string]string{
		"/v1/kv1/shop":           `{"request_id":"1","data":{"password":"canary-one","port":5432,"tls":true,"nested":{"a":1}}}`,
		"/v1/kv2/data/shop/prod": `{"data":{"data":{"password":"canary-two"},"metadata":{"version":3,"deletion_time":"","destroyed":false}}}`,
		"/v1/kv2/data/gone":      `{"data":{"data":null,"metadata":{"version":1,"deletion_time":"2026-01-01T00:00:00Z"}}}`,
		"team/v1/kv2/data/x":     `{"data":{"data":{"k":"in-team"},"metadata":{}}}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail := func(status int, errs ...string) {
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string][]string{"errors": errs})
		}
		switch {
		case r.Method != http.MethodGet:
			fail(http.StatusMethodNotAllowed, "unsupported operation")
		case r.URL.Path == "/v1/kv1/standby":
			http.Redirect(w, r, "/v1/kv1/shop", http.StatusTemporaryRedirect)
		case r.URL.Path == "/v1/kv1/round":
			http.Redirect(w, r, "/v1/kv1/round", http.StatusTemporaryRedirect)
		case r.URL.Path == "/v1/kv1/sealed":
			fail(http.StatusServiceUnavailable, "Vault is sealed")
		case r.URL.Path == "/v1/kv1/html":
			fmt.Fprint(w, "<html>")
		case r.Header.Get("X-Vault-Token") != "t0ken":
			fail(http.StatusForbidden, "permission denied")
		default:
			body, ok := secrets[r.Header.Get("X-Vault-Namespace")+r.URL.Path]
			if !ok {
				fail(http.StatusNotFound)
				return
			}
			fmt.Fprint(w, body)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestRead(t *testing.T) {
	t.Parallel()
	api := kv(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct{ name, url, token, namespace, path, want string }{
		{"version 1", api.URL + "/v1", "t0ken", "", "kv1/shop", "password=canary-one port=5432 tls=true"},
		{"version 2", api.URL + "/v1/", "t0ken", "", "kv2/data/shop/prod", "password=canary-two"},
		{"without /v1", api.URL, "t0ken", "", "kv1/shop", "password=canary-one port=5432 tls=true"},
		{"namespace", api.URL, "t0ken", "team", "kv2/data/x", "k=in-team"},
		{"sent on to the active server", api.URL, "t0ken", "", "kv1/standby", "password=canary-one port=5432 tls=true"},
		{"sent round", api.URL, "t0ken", "", "kv1/round", "error: vault: kv1/round: URL does not answer: it sends on to another server, more than once or without encryption"},
		{"wrong token", api.URL, "n0", "", "kv1/shop", "error: vault: kv1/shop: permission denied: the token is wrong or may not read this path"},
		{"no such secret", api.URL, "t0ken", "", "kv1/none", "error: vault: kv1/none: there is no such secret; check the path, the engine's name and its version"},
		{"deleted", api.URL, "t0ken", "", "kv2/data/gone", "error: vault: kv2/data/gone: the latest version of this secret was deleted"},
		{"sealed", api.URL, "t0ken", "", "kv1/sealed", "error: vault: kv1/sealed: Vault is sealed: Vault is sealed or in maintenance"},
		{"not Vault", api.URL, "t0ken", "", "kv1/html", "error: vault: kv1/html: the answer is not JSON of Vault's; is the url URL right?"},
		{"no url", "vault:8200", "t0ken", "", "kv1/shop", "error: vault: kv1/shop: the url is not http://host:port/v1 or https://host:port/v1"},
		{"nobody there", gone.URL, "t0ken", "", "kv1/shop", "error: vault: kv1/shop: GONE does not answer: dial tcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := vault.Server{URL: c.url, Token: secret.New(c.token), Namespace: c.namespace}
			fields, err := server.Read(t.Context(), c.path)
			var got []string
			for _, name := range []string{"k", "password", "port", "tls", "nested"} {
				if text, ok := fields[name]; ok {
					got = append(got, name+"="+text.Reveal())
				}
			}
			text := strings.Join(got, " ")
			if err != nil {
				text = "error: " + strings.NewReplacer(api.URL, "URL", gone.URL, "GONE").Replace(err.Error())
			}
			if text != c.want && !(strings.HasSuffix(c.want, "dial tcp") && strings.HasPrefix(text, c.want)) {
				t.Errorf("\n got %s\nwant %s", text, c.want)
			}
			if silent := strings.Contains(text, "does not answer") || c.name == "sealed"; errors.Is(err, secret.ErrSilent) != silent {
				t.Errorf("it may answer in a moment: %t, want %t", !silent, silent)
			}
			if strings.Contains(text, "t0ken") || strings.Contains(fmt.Sprint(fields), "canary") {
				t.Errorf("a secret is shown: %s %v", text, fields)
			}
		})
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ engine, version, name, want string }{
		{"secret", "v2", "shop/prod", "secret/data/shop/prod"},
		{"/kv/", "V1", "/shop/", "kv/shop"},
		{"kv", "2", "shop", "kv/data/shop"},
		{"kv", "v3", "shop", `the engine's version "v3" is not one of v1, v2`},
	} {
		got, err := vault.Path(c.engine, c.version, c.name)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.engine, c.version, c.name, got, c.want)
		}
	}
}
