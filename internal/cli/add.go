package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/migration"
)

// kindWords are the values of add.type.
var kindWords = map[string]migration.Kind{
	"versioned": migration.Versioned, "baseline": migration.Baseline, "undo": migration.Undo, "repeatable": migration.Repeatable,
}

// add is the verb add: it writes an empty migration file.
func (r *runner) add(ctx context.Context) int {
	file, err := r.newFile(ctx, time.Now())
	if err == nil && !r.settings.Bool("add.nameOnly") {
		err = writeNew(file, "", r.settings.Bool("add.force"))
	}
	if err != nil {
		return r.fail(err)
	}
	text := "created: " + file
	if r.settings.Bool("add.nameOnly") {
		text = filepath.Base(file)
	}
	if r.console.json {
		r.document(object{"operation": "add", "path": file, "created": !r.settings.Bool("add.nameOnly")})
	} else {
		r.console.result(text, "")
	}
	return 0
}

// newFile decides where the new migration goes and what it is called.
func (r *runner) newFile(ctx context.Context, now time.Time) (string, error) {
	s := r.settings
	world := r.process.world()
	world.Looks = true
	naming, scripts, err := wire.Scripts(s, world, false)
	if err != nil {
		return "", err
	}
	folder, err := r.addFolder()
	if err != nil {
		return "", err
	}
	files, err := scripts.Load(ctx)
	if err != nil {
		return "", &usageError{Message: "the migrations that are there cannot be read: " + err.Error()}
	}
	var names []string
	for _, f := range files.Files {
		names = append(names, path.Base(f.Path))
	}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", &usageError{Message: err.Error()}
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	name, err := naming.NewName(names, migration.NewFile{
		Kind: kindWords[strings.ToLower(s.Text("add.type"))], Description: s.Text("add.description"), Version: s.Text("add.version"),
		Stamp: migration.Stamp(strings.ToLower(s.Text("add.timestamp"))), Now: now,
	})
	if e, ok := errors.AsType[*migration.Error](err); ok {
		return "", &usageError{Message: e.Error(), Hint: e.Hint}
	}
	return filepath.Join(folder, name), err
}

// addFolder is add.location, else the first of locations that is one folder of this machine.
func (r *runner) addFolder() (string, error) {
	candidates := r.settings.List("locations")
	if given := r.settings.Text("add.location"); given != "" {
		candidates = []string{given}
	}
	for _, location := range candidates {
		folder := location
		if prefix, rest, ok := strings.Cut(location, ":"); ok && len(prefix) > 1 {
			if !strings.EqualFold(prefix, "filesystem") {
				continue
			}
			folder = rest
		}
		if !strings.ContainsAny(folder, "*?") {
			return r.absolute(folder), nil
		}
	}
	return "", &usageError{Message: "there is no folder to put the migration into", Hint: "name one with -location=sql, or set locations to one like filesystem:sql"}
}

// absolute makes a path of the settings absolute: below the setting workingDirectory, else the process's directory.
func (r *runner) absolute(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	base := r.process.Dir
	if dir := r.settings.Text("workingDirectory"); dir != "" {
		base = dir
		if !filepath.IsAbs(dir) {
			base = filepath.Join(r.process.Dir, dir)
		}
	}
	return filepath.Join(base, name)
}

// writeNew writes a file, with the folders above it. Unless force is set the file must not be there yet.
func writeNew(file, text string, force bool) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return &usageError{Message: err.Error()}
	}
	mode := os.O_EXCL
	if force {
		mode = os.O_TRUNC
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|mode, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if errors.Is(err, fs.ErrExist) {
		return &skein.Error{Kind: skein.KindRefused, Code: "ERROR", Message: file + " is there already", Kept: "nothing was changed", Hint: "to replace it, add -force"}
	}
	if err != nil {
		return &usageError{Message: err.Error()}
	}
	return nil
}
