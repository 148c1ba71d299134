package sqlsplit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAgainstPsql gives random texts to the psql of this machine, which sends its statements to a server made here,
// and compares them token by token with Split's. Comments and blank lines, which psql versions treat differently,
// do not count. The texts are the same each time; SKEIN_PSQL_TEXTS=n makes it n others.
func TestAgainstPsql(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starting psql for each text takes seconds")
	}
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("no psql on this machine: random texts are not compared with it")
	}
	random, texts := rand.New(rand.NewPCG(7, 11)), 40
	if more, err := strconv.Atoi(os.Getenv("SKEIN_PSQL_TEXTS")); err == nil {
		random, texts = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), more
	}
	for range texts {
		text := randomText(random)
		statements, err := Split(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		var want, got []string
		for _, sent := range runPsql(t, psql, text) {
			want = append(want, tokenText(sent))
		}
		for _, st := range statements {
			got = append(got, tokenText(text[st.Start:st.End]))
			if st.DataStart > 0 {
				got = append(got, "data: "+text[st.DataStart:st.DataEnd])
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-psql +Split)\n%s\nin\n%s", diff, text)
		}
	}
}

// pieces are joined at random; any row of them must close what it opens, so that psql reads to the end.
var pieces = []string{
	"select", "1", ";", ";\n", ";\n\n", "\n", " ", " ", "/* ; /* ' */ $$ */", "-- ; ' /* \" $$\n", "'a;b'", "'it''s;'",
	`'\'`, `E'\';'`, `e'\\'`, `E'';`, "B'01'", "x'ff;'", "N';'", "U&'\\0061;'", `U&"a;"`, `"a;""b"`, "$$;'$$", "$t$;$$;$t$",
	"$_1$ $t$; $_1$", "$1", "$1;", "$", "foo$bar$", "é$$", "(", "(;", ")", ");", "[", "]", "{", "a.b", "::", ":=", ":x",
	":'x;'", "a-b", "--\n", "*/**/", "->>", "1.5e-3", ".5", "1..2", "begin", "end", "case", "atomic", "create", "function f()",
	"create function f() begin atomic select 1; select case 1 when 1 then 2 end; end;\n",
	"create or replace procedure p() begin atomic end;", "copy t from stdin;\n1;\t'\n\\N\n\\.\n",
	"copy t (a, b) from stdin with (format csv) ;\n\\.\n", "copy t to stdout;", "É", "\t", "\r\n",
}

func randomText(random *rand.Rand) string {
	for {
		var b strings.Builder
		for range 5 + random.IntN(60) {
			piece := pieces[random.IntN(len(pieces))]
			// COPY is a statement of its own to us only at the start of one.
			if strings.HasPrefix(piece, "copy") || strings.HasPrefix(piece, "create") {
				b.WriteString(")))))) ;\n")
			}
			b.WriteString(piece)
			if random.IntN(3) == 0 {
				b.WriteByte(' ')
			}
		}
		text := b.String()
		if statements, err := Split(text); err == nil && comparable(text, statements) {
			return text
		}
	}
}

// comparable leaves out the differences that DESIGN.md lists.
func comparable(text string, statements []Statement) bool {
	copied, at := false, 0 // whether the statement before was COPY ... FROM STDIN, and where it and its data end
	for _, st := range statements {
		var last string
		first := true
		for tok := range Tokens(text[st.Start:st.End]) {
			// psql 15.20 drops what comes behind a statement that is empty or starts with no word, when COPY came before.
			if first && copied && (tok.Kind != Word || strings.Contains(text[at:st.Start], ";")) {
				return false
			}
			first = false
			if tok.Is("begin") && strings.HasPrefix(strings.ToLower(text[st.Body:]), "create") {
				if !strings.HasPrefix(text[st.Start+tok.Start:], "begin atomic ") {
					return false
				}
			}
			// psql 15 alone ends a number or parameter after the first letter that runs into it.
			if (tok.Kind == Number || tok.Kind == Parameter) && strings.Contains(tok.Text[1:], "$") {
				return false
			}
			// psql ends a name behind a colon, a variable of its own, before a dollar sign.
			if last == ":" && strings.Contains(tok.Text, "$") {
				return false
			}
			// psql reads by lines and forgets the escapes of a string that goes on in the next one.
			if strings.HasPrefix(strings.ToLower(tok.Text), "e'") && strings.Contains(tok.Text, "\n") {
				return false
			}
			last = tok.Text
		}
		copied, at = st.DataStart > 0, max(st.End+1, st.DataEnd)
	}
	return true
}

func tokenText(statement string) string {
	if strings.HasPrefix(statement, "data: ") {
		return statement
	}
	var texts []string
	for tok := range Tokens(statement) {
		texts = append(texts, tok.Text)
	}
	if n := len(texts); n > 0 && texts[n-1] == ";" {
		texts = texts[:n-1]
	}
	return strings.Join(texts, " ")
}

// runPsql returns the statements that psql sends for a file, each COPY's data behind it as "data: …".
func runPsql(t *testing.T, psql, text string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "in.sql")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	type result struct {
		sent []string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			done <- result{err: err}
			return
		}
		defer conn.Close()
		sent, err := serve(conn)
		done <- result{sent, err}
	}()
	port := listener.Addr().(*net.TCPAddr).Port
	command := exec.Command(psql, "-X", "-q", "-f", file,
		fmt.Sprintf("host=127.0.0.1 port=%d user=u dbname=d sslmode=disable gssencmode=disable client_encoding=UTF8", port))
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	var statements []string
	for _, s := range r.sent {
		if strings.HasPrefix(s, "data: ") {
			s = strings.TrimSuffix(s, "\\.\n") // some versions send the end mark along
		}
		if tokenText(s) != "" {
			statements = append(statements, s)
		}
	}
	return statements
}

// serve is as much of a server as psql needs to send a file: it answers every query with success and no rows, and
// COPY ... FROM STDIN with a request for the data.
func serve(conn io.ReadWriter) ([]string, error) {
	var sent []string
	if _, err := receive(conn, false); err != nil {
		return nil, err
	}
	send(conn, 'R', "\x00\x00\x00\x00")
	send(conn, 'S', "standard_conforming_strings\x00on\x00")
	send(conn, 'S', "client_encoding\x00UTF8\x00")
	send(conn, 'S', "server_version\x0015.0\x00")
	send(conn, 'Z', "I")
	for {
		message, err := receive(conn, true)
		if err != nil || message[0] == 'X' {
			return sent, err
		}
		body := string(message[1:])
		switch message[0] {
		case 'Q':
			query := strings.TrimSuffix(body, "\x00")
			sent = append(sent, query)
			if found, err := Split(query + "\n;\n\\."); err == nil && len(found) == 1 && found[0].DataStart > 0 {
				sent = append(sent, "data: ")
				send(conn, 'G', "\x00\x00\x00")
				continue
			}
			send(conn, 'C', "OK\x00")
			send(conn, 'Z', "I")
		case 'd':
			sent[len(sent)-1] += body
		case 'c', 'f':
			send(conn, 'C', "COPY 0\x00")
			send(conn, 'Z', "I")
		}
	}
}

func receive(conn io.Reader, typed bool) ([]byte, error) {
	head := make([]byte, 5)
	if !typed {
		head = head[1:]
	}
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
	_, err := io.ReadFull(conn, body)
	return append(bytes.Clone(head[:len(head)-4]), body...), err
}

// send ignores errors: the next receive meets them.
func send(conn io.Writer, kind byte, body string) {
	message := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4))
	_, _ = conn.Write(append(message, body...))
}
