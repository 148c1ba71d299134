// Package vault reads secrets from HashiCorp Vault (or OpenBao) through its HTTP API: the key-value engine, versions 1
// and 2.
package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// Server says where Vault is and how to be let in.
type Server struct {
	// URL is the API's, "https://vault:8200/v1"; the /v1 may be left out.
	URL   string
	Token secret.Text
	// Namespace is sent when it is not empty.
	Namespace string
}

// maxAnswer bounds an answer; a secret of the key-value engine is at most 1 MiB.
const maxAnswer = 4 << 20

// Path is the API's path of a secret of an engine of version "v1" or "v2" ("1" and "2" are taken too).
func Path(engine, version, name string) (string, error) {
	engine, name = strings.Trim(engine, "/"), strings.Trim(name, "/")
	switch strings.ToLower(strings.TrimPrefix(strings.ToLower(version), "v")) {
	case "1":
		return engine + "/" + name, nil
	case "2":
		return engine + "/data/" + name, nil
	}
	return "", fmt.Errorf("the engine's version %q is not one of v1, v2", version)
}

// Read returns the fields of the secret at a path of the API, such as "secret/data/shop" (see Path). Numbers and true or
// false are given as they are written in JSON. Errors hold neither the token nor a value.
func (s Server) Read(ctx context.Context, path string) (map[string]secret.Text, error) {
	body, err := s.get(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("vault: %s: %w", path, err)
	}
	var answer struct {
		Data map[string]json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil, fmt.Errorf("vault: %s: the answer is not JSON of Vault's; is the url %s right?", path, s.shown())
	}
	fields := answer.Data
	// Version 2 wraps the fields once more, beside their metadata.
	if _, wrapped := fields["metadata"]; wrapped {
		var inner map[string]json.RawMessage
		if json.Unmarshal(fields["data"], &inner) != nil || inner == nil {
			return nil, fmt.Errorf("vault: %s: the latest version of this secret was deleted", path)
		}
		fields = inner
	}
	found := map[string]secret.Text{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		raw := fields[name]
		var text string
		switch {
		case json.Unmarshal(raw, &text) == nil:
		case len(raw) > 0 && (raw[0] == '{' || raw[0] == '['):
			continue // not a value that a setting can have
		default:
			text = string(raw)
		}
		found[name] = secret.New(text)
	}
	return found, nil
}

// get asks the API for a path.
func (s Server) get(ctx context.Context, path string) ([]byte, error) {
	address, err := s.address(path)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, errors.New("the url cannot be used")
	}
	request.Header.Set("X-Vault-Token", s.Token.Reveal())
	request.Header.Set("X-Vault-Request", "true")
	if s.Namespace != "" {
		request.Header.Set("X-Vault-Namespace", s.Namespace)
	}
	client := http.Client{CheckRedirect: follow}
	response, err := client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, secret.Silent(fmt.Errorf("%s does not answer: %w", s.shown(), err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, secret.Silent(fmt.Errorf("the answer broke off: %w", err))
	}
	if response.StatusCode != http.StatusOK {
		return nil, refusal(response.StatusCode, body)
	}
	return body, nil
}

func (s Server) address(path string) (string, error) {
	base, err := url.Parse(strings.TrimRight(s.URL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return "", errors.New("the url is not http://host:port/v1 or https://host:port/v1")
	}
	if !strings.HasSuffix(base.Path, "/v1") {
		base.Path += "/v1"
	}
	return base.JoinPath(strings.Split(path, "/")...).String(), nil
}

// shown is the server without what the url may hold besides.
func (s Server) shown() string {
	base, err := url.Parse(s.URL)
	if err != nil {
		return "Vault"
	}
	return base.Scheme + "://" + base.Host
}

// follow lets a standby server send us on to the active one, but the token not out of an encrypted connection.
func follow(next *http.Request, via []*http.Request) error {
	if len(via) > 1 || via[0].URL.Scheme == "https" && next.URL.Scheme != "https" {
		return errors.New("it sends on to another server, more than once or without encryption")
	}
	return nil
}

// refusal words an error of the API.
func refusal(status int, body []byte) error {
	var answer struct {
		Errors []string `json:"errors"`
	}
	_ = json.Unmarshal(body, &answer) // what is not Vault's own has no text worth telling
	text := cmp.Or(strings.TrimSpace(strings.Join(answer.Errors, "; ")), http.StatusText(status))
	switch status {
	case http.StatusForbidden:
		return fmt.Errorf("%s: the token is wrong or may not read this path", text)
	case http.StatusNotFound:
		return errors.New("there is no such secret; check the path, the engine's name and its version")
	case http.StatusServiceUnavailable:
		return secret.Silent(fmt.Errorf("%s: Vault is sealed or in maintenance", text))
	}
	return fmt.Errorf("%s (status %d)", text, status)
}
