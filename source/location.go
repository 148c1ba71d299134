package source

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skein-db/skein/migration"
)

// Options say how locations are understood. The zero value is Flyway's defaults.
type Options struct {
	// WorkingDirectory is what relative paths start from; "" means the process's working directory. When it is set,
	// filesystem: locations become absolute, as in Flyway.
	WorkingDirectory string
	// FailOnMissing turns the warning about a missing folder into an error of Load.
	FailOnMissing bool
	// Suffixes are those of SQL scripts (migration.Naming.Suffixes). Files with another suffix are then listed by name
	// only, except programs (.sh, .py …, and files without a suffix) and the .conf files beside scripts. Nil reads every
	// file but those in Java.
	Suffixes []string
	// Others open locations with other prefixes, "s3:", by what stands behind the prefix. They give the location as it is
	// to be shown, which decides about its place in the order and about duplicates.
	Others map[string]func(rest string) (descriptor string, from Source, err error)
}

const (
	filesystem = "filesystem:"
	classpath  = "classpath:"
	// Where build tools keep what they copy onto the class path.
	resources = "src/main/resources"
)

// location is one entry of the list, understood.
type location struct {
	descriptor string // as Flyway prints it
	root       string // the folder to walk, as written; "" is a folder that does not exist
	physical   string // the same, absolute
	glob       *glob  // nil without wildcards
	other      Source // of Options.Others; nil for a folder
}

// Locations gives a Source over folders, written as Flyway's setting "locations" has them: "filesystem:sql",
// "filesystem:/srv/db/**/V*.sql", "classpath:db/migration", "db/migration".
//
// Skein has no class path. A location without a prefix is the folder of that name, one with classpath: (and one without
// a prefix that is no such folder) is looked for in src/main/resources and then as a folder of that name; a warning says
// which folder was taken, and finding none is an error.
//
// With nothing but blanks in the list the default is used: the folder sql, else the class path's db/migration, else a
// warning and no scripts.
//
// The error joins all mistakes in the list, each a *migration.Error. Whether the folders of filesystem: locations
// exist is looked at by each Load.
func Locations(locations []string, opt Options) (Source, error) {
	f := &folders{opt: opt}
	var items []string
	for _, item := range locations {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	if len(items) == 0 {
		items = f.defaults()
	}
	var mistakes []error
	for _, item := range items {
		l, err := f.parse(item)
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		f.locations = append(f.locations, l)
	}
	if len(mistakes) == 1 {
		return nil, mistakes[0]
	}
	if len(mistakes) > 1 {
		return nil, errors.Join(mistakes...)
	}
	f.tidy()
	return f, nil
}

// defaults are the locations of someone who configured none.
func (f *folders) defaults() []string {
	if isFolder(f.absolute("sql")) {
		return []string{filesystem + "sql"}
	}
	for _, parent := range []string{resources, "."} {
		if path := filepath.ToSlash(filepath.Join(parent, "db/migration")); isFolder(f.absolute(path)) {
			return []string{filesystem + path}
		}
	}
	return nil // internal/config has said so
}

// parse understands one item, which is neither empty nor surrounded by blanks.
func (f *folders) parse(item string) (location, error) {
	prefix, path := cutPrefix(item)
	if open := f.opt.Others[prefix]; open != nil {
		descriptor, from, err := open(path)
		return location{descriptor: descriptor, other: from}, err
	}
	switch prefix {
	case filesystem:
		return f.folder(path)
	case "", classpath:
		return f.classPath(item, prefix, path)
	case "s3:", "git:", "release:":
		return location{}, mistake(fmt.Sprintf("location %s: this program reads folders only, the command skein reads such locations", item),
			"copy the scripts into a folder first and name that: filesystem:<folder>")
	case "gcs:":
		return location{}, mistake(fmt.Sprintf("location %s: Skein reads no scripts from Google's storage", item),
			"copy them into a folder first and name that: filesystem:<folder>")
	}
	known := append(slices.Sorted(maps.Keys(f.opt.Others)), classpath, filesystem)
	slices.Sort(known)
	return location{}, mistake(fmt.Sprintf("Unknown prefix for location (should be one of %s): %s", strings.Join(known, ", "), item),
		"for a folder write "+filesystem+path)
}

// cutPrefix splits at the first colon, unless what stands there is a Windows drive or a file URL.
func cutPrefix(item string) (prefix, path string) {
	drive := len(item) > 2 && item[1] == ':' && (item[2] == '\\' || item[2] == '/')
	at := strings.IndexByte(item, ':')
	if at < 0 || drive || strings.HasPrefix(item, "file:///") {
		return "", item
	}
	return strings.ToLower(item[:at+1]), item[at+1:]
}

func mistake(message, hint string) error {
	return &migration.Error{Code: migration.CodeError, Message: message, Hint: hint}
}

// folder makes a location of the path behind "filesystem:".
func (f *folders) folder(path string) (location, error) {
	if f.opt.WorkingDirectory != "" && !filepath.IsAbs(path) {
		path = filepath.ToSlash(f.absolute("")) + "/" + path
	}
	if !hasWildcard(path) {
		path = tidySlashes(path)
		return location{descriptor: filesystem + path, root: path, physical: f.absolute(path)}, nil
	}
	root, g, err := parseGlob(path)
	if err != nil {
		return location{}, mistake(fmt.Sprintf("location %s%s is not a pattern: %v", filesystem, path, err),
			"* and ? are the wildcards; all but the dot of what regular expressions give a meaning keeps it, as in Flyway")
	}
	return location{descriptor: filesystem + path, root: root, physical: f.absolute(root), glob: g}, nil
}

// classPath finds the folder that stands for a place on Flyway's class path.
func (f *folders) classPath(item, prefix, path string) (location, error) {
	inside := strings.TrimLeft(path, "/")
	candidates := []string{resources + "/" + inside, inside}
	if prefix == "" {
		candidates = []string{path, resources + "/" + inside}
	}
	for _, candidate := range candidates {
		l, err := f.folder(candidate)
		if err != nil {
			return location{}, err
		}
		if l.root == "" || !isFolder(l.physical) {
			continue
		}
		read := "read as " + l.descriptor + "; write that to be rid of this warning"
		if prefix == "" {
			f.warnings = append(f.warnings, fmt.Sprintf("location %s has no prefix, which Flyway takes as a place on Java's class path: %s", item, read))
		} else {
			f.warnings = append(f.warnings, fmt.Sprintf("location %s is a place on Java's class path, which Skein does not have: %s", item, read))
		}
		return l, nil
	}
	fix := filesystem + "<folder>"
	if url, ok := strings.CutPrefix(path, "file://"); ok {
		fix = filesystem + url
	} else if prefix == "" && (path[0] == '/' || strings.Contains(path, ":")) {
		fix = filesystem + path
	}
	return location{}, mistake(fmt.Sprintf("location %s: Skein has no Java class path, and neither %s nor %s is a folder in %s",
		item, candidates[0], candidates[1], f.absolute("")), "name the folder of the scripts: "+fix)
}

// tidy brings the locations into Flyway's order and drops those that would give the same files twice.
func (f *folders) tidy() {
	slices.SortStableFunc(f.locations, func(a, b location) int { return strings.Compare(a.descriptor, b.descriptor) })
	var kept []location
	for _, l := range f.locations {
		covered := l.glob == nil && slices.ContainsFunc(kept, func(k location) bool {
			if k.glob != nil {
				return false
			}
			if k.descriptor == l.descriptor {
				f.warnings = append(f.warnings, fmt.Sprintf("Discarding duplicate location '%s'", l.descriptor))
				return true
			}
			if strings.HasPrefix(l.descriptor, strings.TrimSuffix(k.descriptor, "/")+"/") {
				f.warnings = append(f.warnings, fmt.Sprintf("Discarding location '%s' as it is a sub-location of '%s'", l.descriptor, k.descriptor))
				return true
			}
			return false
		})
		if !covered {
			kept = append(kept, l)
		}
	}
	f.locations = kept
}

// absolute never fails where it matters: without a working directory a relative path stays as it is.
func (f *folders) absolute(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(f.opt.WorkingDirectory, path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// tidySlashes drops doubled slashes and one at the end, and leaves "." and ".." alone, which Flyway prints too.
func tidySlashes(path string) string {
	path = filepath.ToSlash(path)
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return path
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
