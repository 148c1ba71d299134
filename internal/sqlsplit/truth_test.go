package sqlsplit

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpora returns the folder of recorded migration sets beside the module, or skips the test.
func corpora(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
	dir = filepath.Join(dir, "..", "shared", "corpora")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no ../shared/corpora beside the module: the recorded psql splits are not compared")
	}
	return dir
}

// TestPsqlSplits compares with what psql 15 sent for each file of the recorded sets: number and text of statements.
// There is no file that we cut otherwise, so there is no list of exceptions.
func TestPsqlSplits(t *testing.T) {
	t.Parallel()
	dir := corpora(t)
	record, err := os.Open(filepath.Join(dir, "ground-truth", "psql15-split.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer record.Close()
	files, statements := 0, 0
	lines := bufio.NewScanner(record)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var want struct {
			Path, SHA256 string
			N, Copy      int
			SHA1         []string
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(want.Path)))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != want.SHA256 {
			t.Errorf("%s is not the file that psql read", want.Path)
			continue
		}
		text := string(raw)
		got, err := Split(text)
		if err != nil {
			t.Errorf("%s: %v", want.Path, err)
			continue
		}
		files, statements = files+1, statements+len(got)
		if diff := compare(text, got, want.N, want.Copy, want.SHA1); diff != "" {
			t.Errorf("%s: %s", want.Path, diff)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if files < 1000 {
		t.Errorf("only %d files compared", files)
	}
	t.Logf("%d files, %d statements as psql sent them", files, statements)
}

func compare(text string, got []Statement, n, copies int, sums []string) string {
	if len(got) != n {
		return fmt.Sprintf("%d statements, psql sent %d", len(got), n)
	}
	for i, st := range got {
		if st.DataStart > 0 {
			copies--
		}
		sent := asPsqlSends(text[st.Start:st.End])
		if sum := sha1.Sum([]byte(sent)); hex.EncodeToString(sum[:8]) != sums[i] {
			return fmt.Sprintf("statement %d, line %d differs from psql's:\n%s", i+1, st.Line, sent)
		}
	}
	if copies != 0 {
		return fmt.Sprintf("psql sent %d more inline COPY data than we found", copies)
	}
	return ""
}

// asPsqlSends brings a statement into the recorded form: psql drops line comments in front of a statement and empty
// lines outside quotes and block comments; the record has neither the semicolon nor blanks around.
func asPsqlSends(s string) string {
	for s = strings.TrimLeft(s, " \t\r\n\f"); strings.HasPrefix(s, "--"); s = strings.TrimLeft(s, " \t\r\n\f") {
		_, s, _ = strings.Cut(s, "\n")
	}
	var out bytes.Buffer
	for i := 0; i < len(s); {
		p, end := lex(s, i)
		part := s[i:end]
		if p == blank {
			head, tail, broken := strings.Cut(part, "\n")
			for broken && strings.HasPrefix(tail, "\n") {
				tail = tail[1:]
			}
			if broken {
				for strings.Contains(tail, "\n\n") {
					tail = strings.ReplaceAll(tail, "\n\n", "\n")
				}
				part = head + "\n" + tail
			}
		}
		out.WriteString(part)
		i = end
	}
	return strings.TrimRight(out.String(), "; \t\r\n\f")
}
