package wire

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/secret/aws"
	"github.com/skein-db/skein/internal/secret/local"
	"github.com/skein-db/skein/internal/secret/vault"
)

// resolverLimit is how long one question to Vault, AWS, git or the keychain may take. A keychain may ask a person.
const resolverLimit = time.Minute

// resolve answers the value resolvers that look outside the configuration.
func (w World) resolve(ctx context.Context, ref config.Reference) (secret.Text, error) {
	ctx, cancel := context.WithTimeout(ctx, resolverLimit)
	defer cancel()
	machine := local.Machine{OS: runtime.GOOS, Env: w.Env, Dir: w.Dir}
	switch ref.Resolver {
	case "git":
		text, err := machine.Git(ctx, ref.Key)
		return secret.New(text), err
	case "localsecret":
		return machine.Keychain(ctx, ref.Key)
	case "awssecretsmanager":
		return w.awsSecret(ctx, ref.Key)
	}
	return w.vaultSecret(ctx, ref)
}

// vaultSecret is ${vault.path/key}.
func (w World) vaultSecret(ctx context.Context, ref config.Reference) (secret.Text, error) {
	slash := strings.LastIndexByte(ref.Key, '/')
	if slash <= 0 || slash == len(ref.Key)-1 {
		return secret.Text{}, fmt.Errorf("vault: write ${vault.path/key}, not ${vault.%s}", ref.Key)
	}
	path, err := vault.Path(cmp.Or(ref.Settings["engineName"], "secret"), cmp.Or(ref.Settings["engineVersion"], "v2"), ref.Key[:slash])
	if err != nil {
		return secret.Text{}, fmt.Errorf("vault: %w", err)
	}
	fields, err := w.vaultFields(ctx, config.Reference{Resolver: "vault", Key: path, Settings: ref.Settings})
	if err != nil {
		return secret.Text{}, err
	}
	text, ok := fields[ref.Key[slash+1:]]
	if !ok {
		return secret.Text{}, fmt.Errorf("vault: %s has no field %s", path, ref.Key[slash+1:])
	}
	return text, nil
}

// vaultFields reads a secret by its path in the API. What is not set comes from Vault's own variables.
func (w World) vaultFields(ctx context.Context, ref config.Reference) (map[string]secret.Text, error) {
	ctx, cancel := context.WithTimeout(ctx, resolverLimit)
	defer cancel()
	server := vault.Server{
		URL:       cmp.Or(ref.Settings["url"], w.Variable("VAULT_ADDR")),
		Token:     secret.New(cmp.Or(ref.Settings["token"], w.Variable("VAULT_TOKEN"))),
		Namespace: cmp.Or(ref.Settings["namespace"], w.Variable("VAULT_NAMESPACE")),
	}
	switch {
	case server.URL == "":
		return nil, errors.New("vault: no url is set (resolvers.vault.url of the environment, or vault.url for vault.secrets)")
	case server.Token.IsEmpty():
		return nil, errors.New("vault: no token is set (resolvers.vault.token of the environment, or vault.token for vault.secrets)")
	}
	return server.Read(ctx, ref.Key)
}

// awsSecret is ${awsSecretsManager.name}, or ${awsSecretsManager.name#field} of a secret that is a JSON object.
func (w World) awsSecret(ctx context.Context, key string) (secret.Text, error) {
	name, field, hasField := strings.Cut(key, "#")
	text, err := aws.Account{Env: w.Env, Home: w.Home}.Read(ctx, name)
	if err != nil || !hasField {
		return text, err
	}
	var fields map[string]any
	if json.Unmarshal([]byte(text.Reveal()), &fields) != nil {
		return secret.Text{}, fmt.Errorf("AWS Secrets Manager: %s is no JSON object, so it has no field %s", name, field)
	}
	switch v := fields[field].(type) {
	case string:
		return secret.New(v), nil
	case float64, bool:
		return secret.New(fmt.Sprint(v)), nil
	}
	return secret.Text{}, fmt.Errorf("AWS Secrets Manager: %s has no field %s that is a text or number", name, field)
}

// login reads user and password for a jdbc-secretsmanager: URL.
func (w World) login(ctx context.Context, id string) (user string, password secret.Text, err error) {
	ctx, cancel := context.WithTimeout(ctx, resolverLimit)
	defer cancel()
	text, err := aws.Account{Env: w.Env, Home: w.Home}.Read(ctx, id)
	if err != nil {
		return "", secret.Text{}, err
	}
	var fields struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if json.Unmarshal([]byte(text.Reveal()), &fields) != nil || fields.Username == "" || fields.Password == "" {
		return "", secret.Text{}, fmt.Errorf("AWS Secrets Manager: %s is no JSON object with username and password", id)
	}
	return fields.Username, secret.New(fields.Password), nil
}
