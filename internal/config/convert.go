package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// Converted is a skein.toml that says what .conf files said.
type Converted struct {
	Text         string
	Environments []string // one for each file, in their order
	// Notes say what is different from the files and what is left to do.
	Notes []string
}

// conversion is Convert at work.
type conversion struct {
	in        Input
	files     []confSource
	variables map[string]string // what the references in the new file stand for, when it is tried out
	notes     []string
}

// confSource is one .conf file.
type confSource struct {
	path, shown, env string
	settings         []*converted
	trailing         []string // comments after the last setting
}

// converted is one setting on its way.
type converted struct {
	key      Key
	name     string // as Lookup knows it
	env      string // of the file that it comes from
	value    string // environment variables between marks
	comments []string
}

// Convert turns .conf files, weakest first, into one skein.toml, each file into an environment named after it:
// flyway.conf is default and lies below the others, flyway_QA.conf is QA. Passwords become references to environment
// variables. The result is loaded and compared with the files before it is returned. in.Args and in.Env are those of
// the process; only configFileEncoding counts among the settings.
func Convert(in Input, paths []string) (Converted, error) {
	if in.ReadFile == nil {
		in.ReadFile = os.ReadFile
	}
	c := &conversion{in: in, variables: map[string]string{}}
	for _, path := range paths {
		if err := c.read(path); err != nil {
			return Converted{}, err
		}
	}
	text, err := c.write()
	if err != nil {
		return Converted{}, err
	}
	out := Converted{Text: text}
	for i, f := range c.files {
		out.Environments = append(out.Environments, f.env)
		if err := c.verify(i, text); err != nil {
			return Converted{}, err
		}
	}
	slices.Sort(c.notes)
	out.Notes = slices.Compact(c.notes)
	return out, nil
}

// environmentOf names the environment after the file: flyway_QA.conf is QA, flyway.conf default.
func environmentOf(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if len(name) >= 6 && strings.EqualFold(name[:6], "flyway") {
		name = strings.TrimLeft(name[6:], "_-.")
	}
	name = regexp.MustCompile(`[^A-Za-z0-9_-]+`).ReplaceAllString(name, "_")
	if name == "" {
		return "default"
	}
	return name
}

// marks stand around the name of an environment variable while a value is worked on.
const markBegin, markEnd = "\x02", "\x03"

func (c *conversion) read(path string) error {
	r := &reader{in: c.in, read: map[string]content{}}
	p := place{path: path, kind: kindOf(path)}
	if !filepath.IsAbs(path) {
		p.path = filepath.Join(c.in.WorkDir, path)
	}
	s := confSource{path: p.path, shown: r.show(p), env: environmentOf(path)}
	origin := Origin{Kind: FromFile, Name: s.shown}
	refuse := func(format string, args ...any) error {
		return Mistakes{{Origin: origin, Text: fmt.Sprintf(format, args...)}}
	}
	if p.kind != confFile {
		return refuse("is not a .conf file; .toml files are read as they are")
	}
	if i := slices.IndexFunc(c.files, func(f confSource) bool { return f.env == s.env }); i >= 0 {
		return refuse("would be the environment %s, and so is %s", s.env, c.files[i].shown)
	}
	data, err := c.in.ReadFile(p.path)
	if err != nil {
		return refuse("Unable to load config file: %v", err)
	}
	text, err := decodeConf(data, c.charset())
	if err != nil {
		return refuse("%v", err)
	}
	properties := parseConf(text, func(name string) (string, bool) { return markBegin + name + markEnd, true })
	comments := confComments(text, properties)
	for i, property := range properties {
		if err := c.take(&s, property, comments[i]); err != nil {
			return err
		}
	}
	s.trailing = comments[len(properties)]
	c.files = append(c.files, s)
	return nil
}

func (c *conversion) charset() string {
	for _, a := range c.in.Args.Values {
		if a.Key == "configFileEncoding" {
			return a.Value.Reveal()
		}
	}
	return "UTF-8"
}

// confComments lists the comment lines before each property and, last, those at the end.
func confComments(text string, properties []property) [][]string {
	out := make([][]string, len(properties)+1)
	continued := false
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		line = trimJava(line)
		if !continued && line != "" && (line[0] == '#' || line[0] == '!') {
			at, _ := slices.BinarySearchFunc(properties, i+1, func(p property, line int) int { return p.line - line })
			out[at] = append(out[at], strings.TrimSpace(line[1:]))
			continue
		}
		continued = strings.HasSuffix(line, `\`)
	}
	return out
}

// take takes one property in; a later one of the same name replaces it.
func (c *conversion) take(s *confSource, p property, comments []string) error {
	name, mine := strings.CutPrefix(p.key, "flyway.")
	if !mine {
		name = p.key
	}
	k, known := Lookup(name)
	if strings.Contains(p.key, markBegin) {
		return Mistakes{{Origin: Origin{Kind: FromFile, Name: s.shown, Line: p.line}, Text: "a name made of an environment variable cannot be taken over"}}
	}
	if !known || !mine && !k.own() {
		c.notes = append(c.notes, fmt.Sprintf("%s:%d: %s is no setting of Flyway's or Skein's and was left out", s.shown, p.line, p.key))
		return nil
	}
	if k.Kind == List && len(splitList(p.value)) == 0 && name != "ignoreMigrationPatterns" {
		return nil // an empty list overrides nothing
	}
	v := &converted{key: k, name: name, env: s.env, value: p.value, comments: comments}
	if name == "resolvers" {
		v.key, _ = Lookup("migrationResolvers")
		v.name = "migrationResolvers" // its name in TOML
	}
	for i, earlier := range s.settings {
		if slot(earlier.name) == slot(v.name) {
			v.comments = append(earlier.comments, v.comments...)
			s.settings[i] = v
			return nil
		}
	}
	s.settings = append(s.settings, v)
	return nil
}

// verify loads the files as they were and the new one, each alone, and compares every setting.
func (c *conversion) verify(file int, text string) error {
	before := []string{c.files[file].path}
	for i, f := range c.files {
		if f.env == "default" && i != file {
			before = []string{f.path, c.files[file].path}
		}
	}
	old, err := c.load(strings.Join(before, ","), "", nil)
	if err != nil {
		return err
	}
	unsaid := func(key, why string) error {
		return Mistakes{{Origin: old.Origin(key), Key: key, Text: key + " cannot be said in TOML with the same meaning" + why,
			Hint: "take it out of the file, run init again, and add it by hand"}}
	}
	now, err := c.load("", c.files[file].env, []byte(text))
	if found, ok := errors.AsType[Mistakes](err); ok && len(found) > 0 && found[0].Key != "" {
		return unsaid(found[0].Key, ": "+found[0].Text) // what is wrong stands in a file that nobody has seen
	}
	if err != nil {
		return fmt.Errorf("the new file would not be read: %w", err)
	}
	if key := differs(old, now); key != "" {
		return unsaid(key, "")
	}
	return nil
}

// load loads one or two files and nothing else.
func (c *conversion) load(files, env string, made []byte) (*Settings, error) {
	in := c.in
	in.HomeDir, in.InstallDir, in.Stdin = "", "", nil
	in.Env = nil
	for name, value := range c.variables {
		in.Env = append(in.Env, name+"="+value)
	}
	give := func(key, value string) {
		if value != "" {
			in.Args.Values = append(in.Args.Values, Argument{Key: key, Value: secret.New(value), Flag: "-" + key})
		}
	}
	in.Args = CommandLine{}
	give("configFiles", files)
	give("configFileEncoding", c.charset())
	give("environment", env)
	read := in.ReadFile
	in.ReadFile = func(path string) ([]byte, error) {
		switch {
		case made != nil && path == filepath.Join(in.WorkDir, "skein.toml"):
			return made, nil
		case made == nil && slices.Contains(strings.Split(files, ","), path):
			return read(path)
		}
		return nil, fs.ErrNotExist
	}
	settings, _, err := Load(in)
	return settings, err
}

// differs names a setting that the two do not have the same value for.
func differs(a, b *Settings) string {
	values := func(s *Settings) map[string]string {
		m := map[string]string{}
		for _, e := range s.Explain() {
			if k, _ := Lookup(e.Key); k.Name != "environment" && k.Name != "configFiles" && k.Name != "resolvers" && k.Name != "migrationResolvers" {
				m[slot(e.Key)] = s.entryText(k, slot(e.Key), e.Value)
			}
		}
		return m
	}
	before, after := values(a), values(b)
	for key, v := range before {
		if w, there := after[key]; !there || w != v {
			return key
		}
	}
	for key := range after {
		if _, there := before[key]; !there {
			return key
		}
	}
	return ""
}

// entryText is a value unmasked.
func (s *Settings) entryText(k Key, slot, otherwise string) string {
	if e, ok := s.entries[slot]; ok {
		otherwise = e.value.String()
		if k.Kind == List {
			otherwise = strings.Join(e.value.items(), ",")
		}
	}
	if k.Kind == Boolean {
		return strings.ToLower(otherwise)
	}
	return otherwise
}

// errOwnOverride tells what TOML has no place for.
var errOwnOverride = errors.New("a setting of Skein's own cannot differ between environments in one file")
