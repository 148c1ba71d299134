package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/jackc/pgx/v5"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/secret/aws"
	"github.com/skein-db/skein/internal/secret/local"
	"github.com/skein-db/skein/internal/secret/vault"
)

// advised is an error that says what to do.
type advised struct {
	error
	hint string
}

func (e advised) Hint() string { return e.hint }

func (e advised) Unwrap() error { return e.error }

// asker answers the secret references of settings. What it finds, secrets hears of before anybody else.
func (w World) asker(s *config.Settings, secrets *secret.Redactor) config.Asker {
	return func(ctx context.Context, ref config.SecretRef) (secret.Text, error) {
		ctx, cancel := context.WithTimeout(ctx, resolverLimit)
		defer cancel()
		text, err := w.referred(ctx, ref, s)
		if ref.Setting != "user" { // a name is none, and would leave gaps in every output
			secrets.AddText(text)
		}
		return text, err
	}
}

// folder is where relative paths of references start.
func (w World) folder(s *config.Settings) string {
	if s == nil || s.Text("workingDirectory") == "" {
		return w.Dir
	}
	if dir := s.Text("workingDirectory"); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(w.Dir, s.Text("workingDirectory"))
}

// referred asks one place. s says where Vault is, and may be nil.
func (w World) referred(ctx context.Context, ref config.SecretRef, s *config.Settings) (secret.Text, error) {
	account := aws.Account{Env: w.Env, Home: w.Home}
	switch ref.Scheme {
	case config.EnvScheme:
		text := w.Variable(ref.Name)
		if text == "" {
			return secret.Text{}, advised{errors.New("the variable is not set, or is empty"), "set it before the command, or correct the name"}
		}
		return secret.New(text), nil
	case config.FileScheme:
		text, err := local.File(ref.Path(w.Home, w.folder(s)))
		if err != nil {
			return text, advised{err, "correct the path, or the permissions of the file"}
		}
		return text, nil
	case config.ExecScheme:
		words, err := config.SplitCommand(ref.Name)
		if err != nil {
			return secret.Text{}, err
		}
		text, err := local.Machine{OS: runtime.GOOS, Env: w.Env, Dir: w.folder(s)}.Command(ctx, words)
		if err != nil {
			return text, advised{err, "run the command by hand to see what it says"}
		}
		return text, nil
	case config.SecretsScheme:
		if skein.Refusals(ctx) == 2 { // a rotation may be ahead of the server
			return account.Previous(ctx, ref.Name)
		}
		return account.Read(ctx, ref.Name)
	case config.SSMScheme:
		return account.Parameter(ctx, ref.Name)
	case config.VaultScheme:
		return w.vaultObject(ctx, ref, s)
	}
	return secret.Text{}, fmt.Errorf("%s: cannot be asked here", ref.Scheme)
}

// vaultObject is a secret of Vault as a JSON object of its fields.
func (w World) vaultObject(ctx context.Context, ref config.SecretRef, s *config.Settings) (secret.Text, error) {
	if s == nil {
		return secret.Text{}, errors.New("vault: it cannot be asked for what it is asked with")
	}
	settings, err := s.Vault(func(ref config.SecretRef) (secret.Text, error) { return w.referred(ctx, ref, nil) })
	if err != nil {
		return secret.Text{}, err
	}
	path, err := vault.Path(settings["engineName"], settings["engineVersion"], ref.Name)
	if err != nil {
		return secret.Text{}, fmt.Errorf("vault: %w", err)
	}
	fields, err := w.vaultFields(ctx, config.Reference{Resolver: "vault", Key: path, Settings: settings})
	if err != nil {
		return secret.Text{}, err
	}
	plain := map[string]string{}
	for name, text := range fields {
		plain[name] = text.Reveal()
	}
	raw, err := json.Marshal(plain)
	return secret.New(string(raw)), err
}

// connectionKeys are the settings that a connection is made of.
var connectionKeys = []string{"url", "user", "password", "jdbcProperties"}

// target is the database of the settings, with all references to secrets asked now.
func (w World) target(ctx context.Context, s *config.Settings, secrets *secret.Redactor) (config.Target, error) {
	now, err := s.Resolved(ctx, w.asker(s, secrets), connectionKeys...)
	if err != nil {
		return config.Target{}, err
	}
	secrets.AddText(now.Secrets()...)
	target, _, err := now.Target()
	return target, err
}

// token puts a token of RDS in as the password.
func (w World) token(ctx context.Context, iam config.IAM, cfg *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, resolverLimit)
	defer cancel()
	if cfg.TLSConfig == nil {
		return errors.New("a token of RDS goes over an encrypted connection only: set sslmode=verify-full in the url")
	}
	for _, f := range cfg.Fallbacks {
		if f.Host != cfg.Host || f.Port != cfg.Port {
			return errors.New("a token of RDS is for one host: leave one in the url")
		}
		if f.TLSConfig == nil {
			return errors.New("a token of RDS goes over an encrypted connection only: set sslmode=verify-full in the url")
		}
	}
	text, err := aws.Account{Env: w.Env, Home: w.Home}.Token(ctx, iam.Region, cfg.Host, cfg.Port, cfg.User)
	if err != nil {
		return err
	}
	cfg.Password = text.Reveal()
	return nil
}
