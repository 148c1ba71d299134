// Command pack makes the zip of a Lambda function, the same bytes for the same files: the program as bootstrap, and beside
// it what is to be in the function's folder, such as skein.toml and sql.
//
//	go run ./internal/lambda/pack ZIP PROGRAM [FILE | FOLDER] …
package main

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// limit is how large a function's program may be: it is loaded at each cold start.
const limit = 30 << 20

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "give the zip, the program, and what else goes in")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pack(to, program string, others []string) error {
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	if info.Size() > limit {
		return fmt.Errorf("%s has %d bytes, at most %d", program, info.Size(), limit)
	}
	files := map[string]string{"bootstrap": program} // by their names in the zip
	for _, other := range others {
		if err := gather(files, other); err != nil {
			return err
		}
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	err = write(out, files)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	packed, err := os.Stat(to)
	if err != nil {
		return err
	}
	fmt.Printf("%s  %.1f MB, unpacked %.1f MB\n", to, float64(packed.Size())/1e6, float64(info.Size())/1e6)
	return nil
}

// gather adds a file, or all files of a folder, under the name of their last element.
func gather(files map[string]string, root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		inside, err := filepath.Rel(filepath.Dir(filepath.Clean(root)), path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(inside)
		if had, ok := files[name]; ok {
			return fmt.Errorf("%s and %s have the same name in the zip", had, path)
		}
		files[name] = path
		return nil
	})
}

func write(out io.Writer, files map[string]string) error {
	z := zip.NewWriter(out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	for _, name := range names {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		if h.SetMode(0o644); name == "bootstrap" {
			h.SetMode(0o755)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		file, err := os.Open(files[name])
		if err != nil {
			return err
		}
		_, err = io.Copy(w, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return z.Close()
}
