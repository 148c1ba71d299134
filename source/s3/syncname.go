package s3

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/skein-db/skein/source"
)

// Sync's own names inside a folder.
const (
	ownPrefix = ".skein-sync"
	stateName = ownPrefix + ".json"
)

// odd says why a key is no name of a file below a folder. What S3 takes for a key is any text, and a folder must not.
func odd(name string) error {
	first, _, _ := strings.Cut(name, "/")
	switch {
	case name == "":
		return nil // the folder itself
	case !utf8.ValidString(name):
		return errors.New("it is no UTF-8")
	case strings.ContainsFunc(name, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }):
		return errors.New("it holds a backslash or control characters")
	case !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)):
		return errors.New("it leads out of the folder, or has an empty part")
	case strings.HasPrefix(first, ownPrefix):
		return errors.New("names that begin so are sync's own")
	}
	return nil
}

// checkNames refuses a location some of whose names cannot be written, before anything is fetched: who puts such names
// there may have put other things too.
func checkNames(place string, want []item) error {
	var wrong []string
	files := map[string]bool{}
	for _, w := range want {
		if files[w.name] {
			wrong = append(wrong, fmt.Sprintf("%q (it is there twice)", w.name))
		}
		files[w.name] = true
	}
	for _, w := range want {
		if err := odd(w.name); err != nil {
			wrong = append(wrong, fmt.Sprintf("%q (%v)", w.name, err))
			continue
		}
		for dir := path.Dir(w.name); dir != "."; dir = path.Dir(dir) {
			if files[dir] {
				wrong = append(wrong, fmt.Sprintf("%q (%q is a file)", w.name, dir))
			}
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &source.Error{Reason: source.Refused, Message: place + ": names that are refused: " + some(wrong), Hint: "find out who has put them there, and remove or rename them"}
}
