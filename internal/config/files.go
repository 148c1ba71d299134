package config

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// place is one file that may hold settings.
type place struct {
	path     string
	kind     fileKind
	explicit string // the variable or flag that named it; "" for a default place
	origin   Origin // of that naming
}

type fileKind int

const (
	confFile fileKind = iota
	tomlFile
	skeinFile // skein.toml: TOML, strict, in either mode
	stdinFile
)

func kindOf(path string) fileKind {
	switch base := filepath.Base(path); {
	case path == "-":
		return stdinFile
	case base == "skein.toml" || base == "skein.user.toml":
		return skeinFile
	case strings.EqualFold(filepath.Ext(base), ".toml"):
		return tomlFile
	}
	return confFile
}

// reader reads files once and remembers them: which ones exist decides which of
// the two dialects is in use, before anything is parsed.
type reader struct {
	in      Input
	workDir string // the setting workingDirectory, absolute; "" when unset
	read    map[string]content
}

type content struct {
	data []byte
	err  error
}

func (r *reader) content(path string) content {
	c, ok := r.read[path]
	if !ok {
		c.data, c.err = r.in.ReadFile(path)
		r.read[path] = c
	}
	return c
}

func (r *reader) exists(p place) bool {
	return p.kind == stdinFile || !errors.Is(r.content(p.path).err, fs.ErrNotExist)
}

// defaults are the files looked for without being named, weakest first. A place
// that is two of those directories at once is read once, as the stronger.
func (r *reader) defaults() []place {
	var dirs []string
	if r.in.InstallDir != "" {
		dirs = append(dirs, filepath.Join(r.in.InstallDir, "conf"))
	}
	dirs = append(dirs, r.in.HomeDir, r.in.WorkDir, r.workDir)
	var places []place
	for i, dir := range dirs {
		if dir == "" || slices.Contains(dirs[i+1:], dir) {
			continue
		}
		for _, name := range []string{"flyway.conf", "flyway.toml", "flyway.user.toml", "skein.toml", "skein.user.toml"} {
			path := filepath.Join(dir, name)
			places = append(places, place{path: path, kind: kindOf(path)})
		}
	}
	return places
}

// named are the files that a list names, relative to the working directory.
func (r *reader) named(list []string, o Origin) []place {
	var places []place
	for _, path := range list {
		kind := kindOf(path)
		if kind != stdinFile && !filepath.IsAbs(path) {
			base := r.workDir
			if base == "" {
				base = r.in.WorkDir
			}
			path = filepath.Join(base, path)
		}
		places = append(places, place{path: path, kind: kind, explicit: o.String(), origin: o})
	}
	return places
}

// choose returns the files to read, weakest first, and whether the TOML dialect
// is in use. The first of -configFiles, the environment variable and the default
// places that has any file decides: TOML if there is one, .conf if there are
// only those. Files of the other dialect are then not read.
func (r *reader) choose(fromEnv, fromArgs []place, f *findings) (places []place, modern bool) {
	defaults := r.defaults()
	modern = true
	for _, level := range [][]place{fromArgs, fromEnv, defaults} {
		var conf, tml []place
		for _, p := range level {
			switch {
			case p.kind == skeinFile || !r.exists(p):
			case p.kind == tomlFile:
				tml = append(tml, p)
			default:
				conf = append(conf, p)
			}
		}
		if len(conf)+len(tml) == 0 {
			continue
		}
		modern = len(tml) > 0
		if modern && len(conf) > 0 {
			if level[0].explicit != "" {
				f.coded(Plain, level[0].origin, "configFiles", "name files of one kind",
					"%s (.conf) and %s (.toml) cannot be used together", r.show(conf[0]), r.show(tml[0]))
			} else {
				f.warn(Origin{}, "%s is not read, because %s is there", r.show(conf[0]), r.show(tml[0]))
			}
		}
		break
	}
	for _, p := range slices.Concat(defaults, fromEnv, fromArgs) {
		if r.readable(p, modern, f) {
			places = append(places, p)
		}
	}
	return places, modern
}

// readable decides on one place, once the dialect is known.
func (r *reader) readable(p place, modern bool, f *findings) bool {
	if !r.exists(p) {
		switch {
		case p.explicit == "":
		case !modern || strings.HasPrefix(p.explicit, "SKEIN_"):
			f.mistake(p.origin, "configFiles", "", "Unable to load config file: %s: there is no such file", r.show(p))
		default:
			f.warn(p.origin, "config file %s could not be found and is ignored", r.show(p))
		}
		return false
	}
	other := modern && (p.kind == confFile || p.kind == stdinFile) || !modern && p.kind == tomlFile
	if !other {
		return true
	}
	if p.explicit != "" {
		f.warn(p.origin, "%s is not read, because %s files are in use", r.show(p), dialect(modern))
	} else if !modern {
		f.warn(Origin{}, "%s is not read, because .conf files are in use", r.show(p))
	}
	return false
}

func dialect(modern bool) string {
	if modern {
		return ".toml"
	}
	return ".conf"
}

// show is a path as a person would write it: relative when it is below the
// process's directory.
func (r *reader) show(p place) string {
	if p.kind == stdinFile {
		return "stdin"
	}
	if rel, err := filepath.Rel(r.in.WorkDir, p.path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return p.path
}

// load reads one file into a layer.
func (r *reader) load(p place, charset string, f *findings) layer {
	shown := r.show(p)
	whole := Origin{Kind: FromFile, Name: shown}
	c := content{}
	if p.kind == stdinFile {
		whole.Kind = FromStdin
		if r.in.Stdin != nil {
			c.data, c.err = io.ReadAll(r.in.Stdin)
		}
	} else {
		c = r.content(p.path)
	}
	if c.err != nil {
		f.mistake(whole, "", "", "Unable to load config file: %v", c.err)
		return layer{}
	}
	if p.kind == tomlFile || p.kind == skeinFile {
		leaves, bad := readTOML(string(c.data), shown)
		if bad != nil {
			f.mistakes = append(f.mistakes, *bad)
			return layer{}
		}
		return tomlAssignments(leaves, p.kind == skeinFile, f)
	}
	text, err := decodeConf(c.data, charset)
	if err != nil {
		f.mistake(whole, "configFileEncoding", "", "%v", err)
		return layer{}
	}
	origin := func(line int) Origin { return Origin{Kind: whole.Kind, Name: whole.Name, Line: line} }
	return confAssignments(parseConf(text, environ(r.in.Env).lookup), origin, f)
}
