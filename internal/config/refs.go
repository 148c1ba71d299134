package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The schemes of secret references.
const (
	EnvScheme     = "env"
	FileScheme    = "file"
	SecretsScheme = "aws-secretsmanager"
	SSMScheme     = "aws-ssm-parameter"
	IAMScheme     = "aws-rds-iam"
	VaultScheme   = "vault"
	ExecScheme    = "exec"
	plainScheme   = "plain" // plain:env:x is the text env:x
)

var schemes = []string{EnvScheme, FileScheme, SecretsScheme, SSMScheme, IAMScheme, VaultScheme, ExecScheme, plainScheme}

// SecretRef says where a secret is: aws-secretsmanager:shop/prod#password.
type SecretRef struct {
	Scheme string // EnvScheme …
	Name   string // of the variable, file, secret, parameter; the path in Vault; the command; a region, or none, of IAMScheme
	Field  string // of a JSON object; "" for the whole
	// Setting is the setting that it stands in, "" while it belongs to none.
	Setting string
	Origin  Origin
}

// String is the reference as it was written; of a command the first word alone, since others may be secrets.
func (r SecretRef) String() string {
	name := r.Name
	if r.Scheme == ExecScheme {
		if words := strings.Fields(name); len(words) > 1 {
			name = words[0] + " …"
		}
	}
	if r.Field != "" {
		name += "#" + r.Field
	}
	return r.Scheme + ":" + name
}

// refError is a reference that was written wrongly.
type refError struct{ text, hint string }

func (e *refError) Error() string { return e.text }

var (
	variableName = lazily(`^[A-Za-z_][A-Za-z0-9_]*$`)
	schemeShape  = lazily(`^[a-z][a-z-]*$`)
)

// parseRef reads a reference. false: it is none, and text is what the value stands for. Its error is a *refError.
func parseRef(text string) (ref SecretRef, plain string, is bool, err error) {
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case !found || strings.HasPrefix(rest, "//") && scheme != FileScheme:
		return ref, text, false, nil
	case scheme == plainScheme:
		return ref, rest, false, nil
	case !slices.Contains(schemes, scheme):
		return ref, text, false, nearScheme(scheme, rest)
	}
	ref = SecretRef{Scheme: scheme, Name: rest}
	wrong := func(format, hint string) error {
		return &refError{fmt.Sprintf(format, ref), hint}
	}
	switch scheme {
	case EnvScheme:
		if !variableName().MatchString(rest) {
			return ref, "", true, &refError{"env: takes the name of one variable", "write env:SHOP_PASSWORD, or plain:… for a text that begins with env:"}
		}
	case FileScheme:
		ref.Name = strings.TrimPrefix(rest, "//") // file:///run/secrets/db
	case SecretsScheme, SSMScheme, VaultScheme:
		if hash := strings.LastIndexByte(rest, '#'); hash >= 0 {
			ref.Name, ref.Field = rest[:hash], rest[hash+1:]
			if ref.Field == "" {
				return ref, "", true, wrong("%s# names no field", "write "+scheme+":NAME#field")
			}
		}
		if scheme == VaultScheme && ref.Field == "" {
			return ref, "", true, wrong("%s names no field", "write vault:PATH#field")
		}
	case ExecScheme:
		if _, err := SplitCommand(rest); err != nil {
			return ref, "", true, wrong("%s: "+err.Error(), "write exec:pass show shop, with quotes around words that hold blanks")
		}
	case IAMScheme:
		return ref, "", true, nil
	}
	if strings.TrimSpace(ref.Name) == "" {
		return ref, "", true, &refError{scheme + ": names nothing", "write " + scheme + ":NAME"}
	}
	return ref, "", true, nil
}

// nearScheme refuses what looks like a reference and is none: it would be taken for the secret itself, and sent to a
// server. A password may well have a colon, so only slips of the known names count.
func nearScheme(scheme, rest string) error {
	if !schemeShape().MatchString(strings.ToLower(scheme)) {
		return nil
	}
	limit := 2
	if len(scheme) < 10 {
		limit = 1
	}
	near := nearest(scheme, limit, schemes)
	switch {
	case strings.HasPrefix(strings.ToLower(scheme), "aws-"):
	case near == "":
		return nil
	case near == EnvScheme && !regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`).MatchString(rest):
		return nil
	case (near == FileScheme || near == ExecScheme || near == plainScheme) && !strings.ContainsAny(rest, "/\\"):
		return nil
	case near == VaultScheme && !strings.Contains(rest, "#"):
		return nil
	}
	hint := "the references are " + strings.Join(schemes[:len(schemes)-1], ":, ") + ":; plain: before a text takes it as it is"
	if near != "" {
		hint = "did you mean " + near + ":? plain: before a text takes it as it is"
	}
	return &refError{"there is no reference " + scheme + ":", hint}
}

// SplitCommand cuts a command into its words. Quotes, single or double, hold a word together; nothing else is special,
// since no shell is involved.
func SplitCommand(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inside, quote := false, rune(0)
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, inside = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if inside {
				words = append(words, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(c)
			inside = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if inside {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("no command is named")
	}
	return words, nil
}

// takesReference reports whether the value under name may be a reference.
func (k Key) takesReference(name string) bool {
	switch {
	case k.Standing != Honoured:
		return false
	case k.Kind == Map:
		return (k.Name == "jdbcProperties.*" || k.Name == "resolvers.*") && k.isSecret(name)
	}
	return k.Secret || k.URL || k.Name == "user"
}

// checkReference looks at the references of one setting. true: it is one, and has no shape of its own.
func checkReference(k Key, e *entry, item string, f *findings) bool {
	if !k.takesReference(e.name) {
		return false
	}
	if k.Kind == List {
		_, item = targetName(item)
	}
	ref, _, is, err := parseRef(item)
	wrong, bad := errors.AsType[*refError](err)
	switch {
	case bad:
		f.mistake(e.origin, e.name, wrong.hint, "%s: %s", e.name, wrong.text)
		return true
	case is && ref.Scheme == IAMScheme && k.Name != "password":
		f.mistake(e.origin, e.name, "write it as the password, beside a url and a user", "%s: aws-rds-iam: is a password, and stands nowhere else", e.name)
	case is && ref.Scheme == VaultScheme && strings.HasSuffix(e.name, "vault.token"):
		f.mistake(e.origin, e.name, "write env:VAULT_TOKEN, or file:… for the file of an agent", "%s: Vault cannot be asked for the token that it asks for", e.name)
	}
	return is
}
