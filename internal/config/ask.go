package config

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// Asker gives the whole text behind a reference; Field is for the caller. Of a secret in Vault it is a JSON object of its
// fields. Its error says what failed, holds no secret, and may be an error with a method Hint.
type Asker func(context.Context, SecretRef) (secret.Text, error)

// Path is the path of a reference to a file: ~/ is home, and others start from dir.
func (r SecretRef) Path(home, dir string) string {
	return (&reader{in: Input{HomeDir: home, WorkDir: dir}}).absolute(r.Name)
}

// References lists the references among the settings, in the order of their names.
func (s *Settings) References() []SecretRef {
	var list []SecretRef
	for _, slot := range slices.Sorted(maps.Keys(s.entries)) {
		e := s.entries[slot]
		k, _ := Lookup(e.name)
		if !k.takesReference(e.name) {
			continue
		}
		for _, item := range e.texts(k) {
			if ref, is := e.ref(k, item); is {
				list = append(list, ref)
			}
		}
	}
	return list
}

// HasReference reports whether the value of a key, or an item of it, is a reference.
func (s *Settings) HasReference(key string) bool {
	return slices.ContainsFunc(s.References(), func(r SecretRef) bool { return r.Setting == key })
}

// Vault says where Vault is: url, token, namespace, engineName and engineVersion, from resolvers.vault.* of the environment,
// else vault.*. ask answers a reference among them.
func (s *Settings) Vault(ask func(SecretRef) (secret.Text, error)) (map[string]string, error) {
	found := map[string]string{"engineName": "secret", "engineVersion": "v2"}
	for _, family := range []string{"vault.", "resolvers.vault."} {
		for _, key := range []string{"url", "token", "namespace", "engineName", "engineVersion"} {
			e, ok := s.entries[family+key]
			if !ok {
				continue
			}
			copied := *e // early notes what it finds, and settings do not change
			text, err := copied.early(ask)
			if err != nil {
				return nil, err
			}
			found[key] = text
		}
	}
	return found, nil
}

// texts are the items of a list, or the one text.
func (e *entry) texts(k Key) []string {
	if k.Kind == List {
		return e.value.items()
	}
	return []string{e.value.String()}
}

func (e *entry) ref(k Key, item string) (SecretRef, bool) {
	if e.settled {
		return SecretRef{}, false
	}
	if k.Kind == List {
		_, item = targetName(item)
	}
	ref, _, is, err := parseRef(item)
	ref.Setting, ref.Origin = e.name, e.origin
	return ref, is && err == nil
}

// Resolved is a copy of the settings in which the references of the named keys ("password", "jdbcProperties") are
// replaced by what they stand for. A place that several refer to is asked once. References to IAM are left, since they
// need the connection: see Target.IAM. The error is Mistakes, with the place of each reference.
//
// Nothing is kept between two calls: what is asked for is what holds now.
func (s *Settings) Resolved(ctx context.Context, ask Asker, keys ...string) (*Settings, error) {
	out := *s
	out.entries = maps.Clone(s.entries)
	a := asking{ctx: ctx, ask: ask, answers: map[string]answer{}}
	for _, slot := range slices.Sorted(maps.Keys(s.entries)) {
		e := s.entries[slot]
		k, _ := Lookup(e.name)
		if !slices.Contains(keys, strings.TrimSuffix(k.Name, ".*")) || !k.takesReference(e.name) {
			continue
		}
		now := *e
		if k.Kind == List {
			now.value = value{isList: true}
			for _, item := range e.value.items() {
				name, _ := targetName(item)
				now.value.list = append(now.value.list, name+a.one(e, k, item))
			}
		} else {
			now.value = textValue(a.one(e, k, e.value.String()))
		}
		ref, is := e.ref(k, now.value.String())
		now.settled = !is || ref.Scheme != IAMScheme
		out.entries[slot] = &now
	}
	a.found.sort()
	if err := a.found.mistakes.err(); err != nil {
		return nil, err
	}
	return &out, nil
}

// asking is Resolved at work.
type asking struct {
	ctx     context.Context
	ask     Asker
	answers map[string]answer
	found   findings
}

// one is what an item stands for, without its "name=".
func (a *asking) one(e *entry, k Key, item string) string {
	address := item
	if k.Kind == List {
		_, address = targetName(item)
	}
	ref, is := e.ref(k, item)
	if !is {
		_, plain, _, _ := parseRef(address)
		return plain
	}
	if ref.Scheme == IAMScheme {
		return address
	}
	at := ref.Scheme + ":" + ref.Name
	got, known := a.answers[at]
	if !known {
		got.text, got.err = a.ask(a.ctx, ref)
		a.answers[at] = got
	}
	text, err := got.text.Reveal(), got.err
	if err == nil {
		text, err = pick(k, ref, text)
	}
	if err == nil && text == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		hint := ""
		if h, ok := errors.AsType[interface {
			error
			Hint() string
		}](err); ok {
			hint = h.Hint()
		}
		a.found.mistake(e.origin, e.name, hint, "%s: %v: %v", e.name, ref, err)
		return ""
	}
	return text
}

// pick takes the part that is meant out of a secret: the field that the reference names, or of a JSON object such as
// RDS keeps its logins in the one that the setting is for.
func pick(k Key, ref SecretRef, text string) (string, error) {
	if ref.Scheme != SecretsScheme && ref.Scheme != SSMScheme && ref.Scheme != VaultScheme {
		return text, nil
	}
	var fields map[string]any
	object := json.Unmarshal([]byte(text), &fields) == nil && fields != nil
	if ref.Field != "" {
		if !object {
			return "", fmt.Errorf("it is no JSON object, so it has no field %s", ref.Field)
		}
		return field(fields, ref.Field)
	}
	switch {
	case !object:
		return text, nil
	case k.Name == "password":
		return field(fields, "password")
	case k.Name == "user":
		return field(fields, "username")
	case k.URL && k.Name != "skein.notify.smtp":
		return loginURL(fields)
	}
	return text, nil
}

// field is a text, number or true or false of an object.
func field(fields map[string]any, name string) (string, error) {
	switch v := fields[name].(type) {
	case string:
		return v, nil
	case float64, bool:
		return fmt.Sprint(v), nil
	}
	names := slices.Sorted(maps.Keys(fields))
	return "", fmt.Errorf("it has no field %s that is a text or number; it has %s", name, cmp.Or(strings.Join(names, ", "), "none"))
}

// loginURL makes a URL of host, port, dbname, username and password, as RDS keeps them.
func loginURL(fields map[string]any) (string, error) {
	get := func(name string) string {
		text, err := field(fields, name)
		if err != nil {
			return ""
		}
		return text
	}
	if engine := get("engine"); engine != "" && !strings.Contains(engine, "postgres") {
		return "", fmt.Errorf("it is the login of a database of the kind %s", engine)
	}
	host := get("host")
	if host == "" {
		return "", errors.New("it has no field host: write the url into the file, and refer to the secret as user and password")
	}
	if port := get("port"); port != "" {
		host = net.JoinHostPort(host, port)
	}
	u := url.URL{Scheme: "postgres", Host: host, Path: "/" + get("dbname")}
	if user := get("username"); user != "" {
		u.User = url.User(user)
		if password := get("password"); password != "" {
			u.User = url.UserPassword(user, password)
		}
	}
	return u.String(), nil
}
