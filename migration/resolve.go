package migration

import (
	"errors"
	"fmt"
	"strings"
)

// ResolveOptions says how files become scripts. The zero value is Flyway's defaults.
type ResolveOptions struct {
	Naming               Naming
	Placeholders         Placeholders // replaced in repeatables for their checksum, and in .conf files; script text stays as written
	Encoding             string       // of every script whose own .conf names none; "" means UTF-8
	DetectEncoding       bool         // guess it for each script instead
	ValidateNaming       bool         // misnamed files are an error
	SkipDefaultCallbacks bool         // leave SQL callbacks alone; those that are programs stay
	CallbackFiles        bool         // callbacks come from callbackFiles only (the setting callbackLocations is used)
	Texts                *Texts       // keeps what is worked out of the files, for other runs; nil: nothing is kept
	NeedSuffix           bool         // a file without a suffix is no program, as on Windows
}

// Resolved is what the files of all locations amount to.
type Resolved struct {
	Scripts   []Script   // versioned, undo and baseline by version, then repeatables by description
	Callbacks []Callback // by event, then by description, the empty one first
	Warnings  []Warning
	Java      []string // paths of migrations written in Java or Kotlin, which are only named
	Ignored   int      // files with a migration's suffix whose name is not a migration's
}

// Warning is something a person should know about that stops nothing.
type Warning struct {
	Path string // may be ""
	Line int    // from 1; 0 when no line is meant
	Text string
	Hint string // what to do; may be ""
}

func (w Warning) String() string {
	text := w.Text
	if w.Path != "" {
		text = w.Path + ": " + text
	}
	if w.Hint != "" {
		text += " (" + w.Hint + ")"
	}
	return text
}

// Resolve reads names, decodes texts and computes checksums. The error is an *Error, or several joined; the code is
// DUPLICATE_VERSIONED_MIGRATION and its kin when two files claim one place.
func Resolve(files, callbackFiles []File, opt ResolveOptions) (Resolved, error) {
	r := &resolver{opt: opt, naming: opt.Naming.compile(), configs: map[string]File{}, callbacks: map[string]File{}}
	r.out.Scripts = make([]Script, 0, len(files))
	for _, set := range [][]File{files, callbackFiles} {
		for _, f := range set {
			if strings.HasSuffix(f.Path, ".conf") {
				if _, taken := r.configs[f.Path]; !taken {
					r.configs[f.Path] = f
				}
			}
		}
	}
	for _, f := range files {
		r.file(f, !opt.CallbackFiles)
	}
	if opt.CallbackFiles {
		for _, f := range callbackFiles {
			if name, kind, bad := r.read(baseName(f.Path)); bad == nil && name.Event != "" {
				r.callback(f, name, kind)
			}
		}
	}
	if opt.ValidateNaming && len(r.invalid) > 0 {
		return Resolved{}, &Error{Code: CodeError, Message: "Invalid SQL filenames found:\r\n" + strings.Join(r.invalid, "\r\n"),
			Hint: "rename them, or turn validateMigrationNaming off"}
	}
	if len(r.errs) == 1 {
		return Resolved{}, r.errs[0]
	}
	if len(r.errs) > 1 {
		return Resolved{}, errors.Join(r.errs...)
	}
	scripts, err := Order(r.out.Scripts)
	if err != nil {
		return Resolved{}, err
	}
	r.out.Scripts = scripts
	sortCallbacks(r.out.Callbacks)
	return r.out, nil
}

type resolver struct {
	opt       ResolveOptions
	naming    *nameParser
	configs   map[string]File
	callbacks map[string]File // by file name without suffix
	invalid   []string
	errs      []error
	out       Resolved
}

func (r *resolver) file(f File, callbacksToo bool) {
	base := baseName(f.Path)
	name, kind, bad := r.read(base)
	switch {
	case bad != nil && bad.OtherSuffix:
		r.inJava(f, base)
	case bad != nil:
		r.misnamed(f, bad)
	case name.Event != "":
		if callbacksToo {
			r.callback(f, name, kind)
		}
	case name.Kind == Repeatable && name.Description == "" && !strings.Contains(base, r.naming.separator):
		// R.sql is well formed but, as for Flyway, nothing.
	default:
		r.script(f, name, kind)
	}
}

func (r *resolver) misnamed(f File, bad *NameError) {
	if _, _, sql := r.naming.cutSuffix(bad.File); sql { // only these are counted, and complained about by validateMigrationNaming
		r.out.Ignored++
		r.invalid = append(r.invalid, bad.Reason)
	}
	if !bad.Misnamed() {
		return
	}
	w := Warning{Path: f.Path, Text: "ignored, because its name " + bad.Hint}
	if bad.Fix != "" {
		w.Hint = "rename it to " + bad.Fix
	}
	r.out.Warnings = append(r.out.Warnings, w)
}

// Suffixes of migrations and callbacks that are programs.
var programSuffixes = []string{".cmd", ".bat", ".ps1", ".py", ".sh", ".bash"}

// read reads a file's name; kind is TypeSQL or TypeScript.
func (r *resolver) read(base string) (name Name, kind Type, bad *NameError) {
	name, bad = r.naming.parse(base)
	if bad == nil || !bad.OtherSuffix {
		return name, TypeSQL, bad
	}
	program := *r.naming
	program.suffixes = programSuffixes
	if !strings.Contains(base, ".") {
		if r.opt.NeedSuffix {
			return name, TypeScript, bad
		}
		program.suffixes = []string{""}
	}
	name, other := program.parse(base)
	if other != nil && program.suffixes[0] == "" {
		return name, TypeScript, bad // a README is no misspelt migration
	}
	return name, TypeScript, other
}

// inJava names migrations written for the Java machine, which do not run here.
func (r *resolver) inJava(f File, base string) {
	dot := strings.LastIndexByte(base, '.')
	if dot < 0 || base[dot:] != ".java" && base[dot:] != ".class" && base[dot:] != ".kt" {
		return
	}
	other := *r.naming
	other.suffixes = []string{base[dot:]}
	_, reason := other.read(base)
	if reason != "" || strings.ContainsAny(base, "$") || !strings.Contains(base, r.naming.separator) {
		return // a helper class
	}
	r.out.Java = append(r.out.Java, f.Path)
	r.out.Warnings = append(r.out.Warnings, Warning{Path: f.Path, Text: "a migration written in Java or Kotlin, which does not run here",
		Hint: "only SQL files and programs are run; where it has already run, its history row can be tolerated, see ignoreJavaMigrations"})
}

// config reads a file's .conf file.
func (r *resolver) config(f File) (config ScriptConfig, err error) {
	if conf, ok := r.configs[f.Path+".conf"]; ok {
		confText, err := decode(conf.Content, "")
		if err != nil {
			return config, &Error{Code: CodeConfiguration, Path: conf.Path, Message: err.Error(), Err: err}
		}
		return parseScriptConfig(conf.Path, confText, r.placeholders(f, ScriptConfig{}))
	}
	return config, nil
}

// load decodes a file and reads its .conf file.
func (r *resolver) load(f File) (c *content, config ScriptConfig, err error) {
	if config, err = r.config(f); err != nil {
		return nil, config, err
	}
	if c, err = r.content(f, config); err == nil {
		err = c.err
	}
	return c, config, err
}

func undecodable(f File, encoding string, err error) error {
	e := &Error{Code: CodeError, Path: orElse(f.Physical, f.Path), Err: err,
		Message: fmt.Sprintf("Unable to calculate checksum of %s: %s", baseName(f.Path), err),
		Hint:    "convert the file to " + orElse(encoding, "UTF-8") + ", or name its encoding (encoding=…, or detectEncoding=true, or encoding=… in " + f.Path + ".conf)"}
	if bad, ok := errors.AsType[*badByteError](err); ok {
		e.Line = lineAt(string(f.Content[:bad.offset]))
	}
	return e
}

// placeholders returns those of one script.
func (r *resolver) placeholders(f File, config ScriptConfig) Placeholders {
	return r.opt.Placeholders.For(baseName(f.Path), config)
}

func (r *resolver) script(f File, name Name, kind Type) {
	s := Script{Kind: name.Kind, Version: name.Version, Description: name.Description, Type: kind,
		Path: f.Path, Physical: f.Physical, Program: kind == TypeScript}
	if !r.large(f, &s) {
		c, config, err := r.load(f)
		if err != nil {
			r.errs = append(r.errs, err)
			return
		}
		s.Text, s.Config, s.RawChecksum, s.content = c.text, config, c.checksum, c
	}
	text := s.Text
	sum := s.RawChecksum
	switch name.Kind {
	case Baseline:
		s.Type = TypeSQLBaseline // Flyway has no type of its own for baselines that are programs
	case Undo:
		if s.Type = TypeUndoSQL; s.Program {
			s.Type = TypeUndoScript
		}
	case Repeatable:
		placeholders := r.placeholders(f, s.Config)
		if kind == TypeScript {
			placeholders = placeholders.Script()
		}
		replaced, err := placeholders.Replace(text)
		if err != nil {
			r.errs = append(r.errs, unknownPlaceholder(err, orElse(f.Physical, f.Path)))
			return
		}
		if replaced != text {
			sum = Checksum(replaced)
		}
	}
	s.Checksum = &sum
	r.out.Scripts = append(r.out.Scripts, s)
}

func unknownPlaceholder(err error, path string) error {
	e := &Error{Code: CodeError, Message: err.Error(), Err: err,
		Hint: "give it a value (placeholders.<name>=…), or switch replacement off for this script (placeholderReplacement=false in its .conf)"}
	if missing, ok := errors.AsType[*PlaceholderError](err); ok {
		e.Path, e.Line = path, missing.Line
	}
	return e
}
