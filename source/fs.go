package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/skein-db/skein/migration"
)

// FS gives a Source over folders of a file system, such as an embed.FS; without dirs it is the whole of it. Every file
// is read. A file's Location is "embed:" and the folder. A folder that does not exist is an error of Load: whoever
// built the program has forgotten it.
func FS(fsys fs.FS, dirs ...string) Source {
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	return embedded{fsys, dirs}
}

type embedded struct {
	fsys fs.FS
	dirs []string
}

func (e embedded) Load(ctx context.Context) (Release, error) {
	var out Release
	var wrong []error
	for _, dir := range e.dirs {
		w, err := e.walk(ctx, dir)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		out.join(Release{Files: w.files, Warnings: w.warnings, Origins: []string{"embed:" + dir}})
	}
	if len(wrong) == 1 {
		return Release{}, wrong[0]
	}
	if len(wrong) > 1 {
		return Release{}, errors.Join(wrong...)
	}
	return out, nil
}

func (e embedded) walk(ctx context.Context, dir string) (*walk, error) {
	missing := func(reason string) error {
		return mistake(fmt.Sprintf("Failed to find location: embed:%s (%s)", dir, reason),
			"name a folder of the file system given to source.FS, \"/\" separated and without one at its ends")
	}
	info, err := fs.Stat(e.fsys, dir)
	if err != nil {
		return nil, missing(cause(err).Error())
	}
	if !info.IsDir() {
		return nil, missing("not a directory")
	}
	sub, err := fs.Sub(e.fsys, dir)
	if err != nil {
		return nil, missing(cause(err).Error())
	}
	w := &walk{fsys: sub, wanted: func(string) bool { return true }, place: func(p, name string) migration.File {
		return migration.File{Path: name, Location: "embed:" + dir, Physical: path.Join(dir, p)}
	}, read: e.read, open: func(p string) (io.ReadCloser, error) { return e.fsys.Open(p) }}
	return w, w.run(ctx)
}

// read gives errLarge for a large file.
func (e embedded) read(p string) ([]byte, error) {
	if info, err := fs.Stat(e.fsys, p); err == nil && info.Size() >= largest {
		return nil, errLarge
	}
	return fs.ReadFile(e.fsys, p)
}
