package cli

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/config"
)

// TestHintsNameCommands looks at each command that a text of the program tells people to type: its verb must be one.
func TestHintsNameCommands(t *testing.T) {
	t.Parallel()
	grammar := Grammar()
	command := regexp.MustCompile(`(?:[:,;(] |\bor |\bthen |\bfirst |\brun |^)skein ([a-z]+)(?: ([a-z]+))?(?: ([a-z]+))?`)
	count := 0
	for _, dir := range []string{"../..", ".", "../pipeline", "../fleet", "../deploy", "../release", "../doctor", "../wire", "../config", "../../source", "../../source/s3", "../../migration", "../../adoption"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, text := range literals(t, file) {
				if strings.HasPrefix(text, "skein release 1") {
					continue // what digests begin with
				}
				for _, m := range command.FindAllStringSubmatch(text, -1) {
					count++
					_, one := config.Parse([]string{m[1]}, grammar)
					_, two := config.Parse([]string{m[1], m[2]}, grammar)
					_, three := config.Parse(m[1:4], grammar)
					if one != nil && two != nil && three != nil {
						t.Errorf("%s: %q: there is no verb %s", file, text, strings.TrimSpace(strings.Join(m[1:], " ")))
					}
				}
			}
		}
	}
	if count < 30 {
		t.Errorf("only %d commands found", count)
	}
}

// literals are the texts of a file.
func literals(t *testing.T, file string) []string {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s scanner.Scanner
	fset := token.NewFileSet()
	s.Init(fset.AddFile(file, -1, len(src)), src, nil, 0)
	var out []string
	for {
		_, tok, text := s.Scan()
		switch tok {
		case token.EOF:
			return out
		case token.STRING:
			out = append(out, strings.Trim(text, "\"`"))
		}
	}
}
