package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/skein-db/skein/migration"
)

// folders is the Source of Locations.
type folders struct {
	opt       Options
	locations []location // in Flyway's order
	warnings  []string   // about the list itself
}

func (f *folders) Load(ctx context.Context) (Release, error) {
	out := Release{Warnings: append([]string(nil), f.warnings...)}
	var wrong []error
	for _, l := range f.locations {
		if l.other != nil {
			r, err := l.other.Load(ctx)
			if err != nil {
				wrong = append(wrong, err)
			}
			out.join(r)
			continue
		}
		if reason := l.missing(); reason != "" {
			if f.opt.FailOnMissing {
				wrong = append(wrong, mistake(fmt.Sprintf("Failed to find filesystem location: %s (%s)", l.root, reason), l.whereabouts()))
			} else {
				out.Warnings = append(out.Warnings, strings.TrimSuffix(fmt.Sprintf("Skipping filesystem location: %s (%s); %s", l.root, reason, l.whereabouts()), "; "))
			}
			continue
		}
		inside := strings.TrimSuffix(l.physical, string(filepath.Separator)) + string(filepath.Separator)
		w := walk{fsys: os.DirFS(l.physical), wanted: f.opt.Wanted, place: func(path, name string) migration.File {
			file := migration.File{Path: name, Location: l.descriptor, Physical: inside + filepath.FromSlash(path)}
			if path == "." {
				file.Physical = l.physical
			}
			return file
		}, read: readFile, open: func(p string) (io.ReadCloser, error) { return os.Open(p) }}
		if l.glob != nil {
			w.rename = l.glob.match
		}
		if err := w.run(ctx); err != nil {
			wrong = append(wrong, err)
			continue
		}
		if l.glob != nil && len(w.files) == 0 {
			w.warnings = append(w.warnings, strings.TrimSuffix(fmt.Sprintf("no file matches location %s; %s", l.descriptor, l.glob.hint), "; "))
		}
		out.join(Release{Files: w.files, Warnings: w.warnings, Origins: []string{l.descriptor}})
	}
	if len(wrong) == 1 {
		return Release{}, wrong[0]
	}
	if len(wrong) > 1 {
		return Release{}, errors.Join(wrong...)
	}
	return out, nil
}

// missing says in Flyway's words why a location's folder cannot be read, or "".
func (l location) missing() string {
	if l.root == "" {
		return "not found"
	}
	info, err := os.Stat(l.physical)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "not readable"
	case err != nil:
		return "not found"
	case !info.IsDir():
		return "not a directory"
	}
	dir, err := os.Open(l.physical)
	if err != nil {
		return "not readable"
	}
	_ = dir.Close() // it was opened for reading only
	return ""
}

// whereabouts helps those who started Skein somewhere else than they thought.
func (l location) whereabouts() string {
	if l.root == "" {
		return "begin the pattern with a folder: " + filesystem + "./" + strings.TrimPrefix(l.descriptor, filesystem)
	}
	if filepath.IsAbs(l.root) {
		return ""
	}
	return "that is " + l.physical + "; start where the folder is, or set workingDirectory"
}

// Suffixes of migrations that Flyway knows and Skein only names, and of those that are programs.
var (
	foreign  = []string{".java", ".class", ".kt", ".jar"}
	programs = []string{".sh", ".bash", ".py", ".ps1", ".bat", ".cmd"}
)

// Wanted tells whether the content of a file matters, by its name without folders.
func (o Options) Wanted(name string) bool {
	name = strings.TrimSuffix(name, ".conf")
	if o.Suffixes == nil {
		return !hasSuffix(name, foreign)
	}
	return hasSuffix(name, o.Suffixes) || hasSuffix(name, programs) || !strings.Contains(name, ".")
}

func hasSuffix(name string, suffixes []string) bool {
	for _, s := range suffixes {
		if at := len(name) - len(s); at >= 0 && strings.EqualFold(name[at:], s) {
			return true
		}
	}
	return false
}
