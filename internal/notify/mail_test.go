package notify_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/notify"
	"github.com/skein-db/skein/internal/secret"
)

// mailServer speaks SMTP, as much of it as a client needs that signs in and leaves a message.
type mailServer struct {
	listener net.Listener
	cert     tls.Certificate
	implicit bool
	startTLS bool
	auth     string            // methods
	refuse   map[string]string // command → answer

	mu       sync.Mutex
	commands []string // RCPT, AUTH … with "tls " before those that came encrypted
	message  string
}

func serveMail(t *testing.T, m *mailServer) (address string, trust *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(4e9, 0), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	m.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	if m.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := m.listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() { m.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = m.listener.Close(); group.Wait() })
	return m.listener.Addr().String(), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func (m *mailServer) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	encrypted := m.implicit
	if m.implicit {
		conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{m.cert}})
	}
	in := bufio.NewReader(conn)
	say := func(text string) { fmt.Fprint(conn, text+"\r\n") }
	say("220 ready")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		m.note(encrypted, line)
		word, _, _ := strings.Cut(strings.ToUpper(line), " ")
		if answer, refused := m.refuse[word]; refused {
			say(answer)
			continue
		}
		switch word {
		case "EHLO":
			say("250-mail.example.com")
			if m.startTLS && !encrypted {
				say("250-STARTTLS")
			}
			if m.auth != "" {
				say("250-AUTH " + m.auth)
			}
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{m.cert}})
			in, encrypted = bufio.NewReader(conn), true
		case "AUTH":
			for range strings.Count(line, "LOGIN") * 2 {
				say("334 ")
				answer, _ := in.ReadString('\n')
				m.note(encrypted, strings.TrimSpace(answer))
			}
			say("235 welcome")
		case "DATA":
			say("354 go on")
			var text strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				text.WriteString(strings.TrimPrefix(line, "."))
			}
			m.mu.Lock()
			m.message = text.String()
			m.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func (m *mailServer) note(encrypted bool, line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if encrypted {
		line = "tls " + line
	}
	m.commands = append(m.commands, line)
}

func (m *mailServer) heard() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.commands, "\n")
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestMail(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		server *mailServer
		url    string // ADDRESS stands for the server
		heard  []string
		want   string // what is told; "" is success
	}{
		{"starttls and plain", &mailServer{startTLS: true, auth: "PLAIN LOGIN"}, "smtp://me:s3cret-w0rd@ADDRESS", []string{"tls AUTH PLAIN " + b64("\x00me\x00s3cret-w0rd"), "tls RCPT TO:<ana@example.com>"}, ""},
		{"login alone", &mailServer{startTLS: true, auth: "LOGIN"}, "smtp://me:s3cret-w0rd@ADDRESS", []string{"tls AUTH LOGIN", "tls " + b64("me"), "tls " + b64("s3cret-w0rd")}, ""},
		{"encrypted from the start", &mailServer{implicit: true, auth: "PLAIN"}, "smtps://me:s3cret-w0rd@ADDRESS", []string{"tls EHLO localhost", "tls AUTH PLAIN " + b64("\x00me\x00s3cret-w0rd")}, ""},
		{"a relay without", &mailServer{}, "smtp://ADDRESS", []string{"MAIL FROM:<skein@example.com>"}, ""},
		{"no password in the clear", &mailServer{auth: "PLAIN"}, "smtp://me:s3cret-w0rd@ADDRESS", nil, "the password is not sent without"},
		{"wrong password", &mailServer{startTLS: true, auth: "PLAIN", refuse: map[string]string{"AUTH": "535 no, s3cret-w0rd is wrong"}}, "smtp://me:s3cret-w0rd@ADDRESS", nil, "answers 535: user or password is wrong"},
		{"busy", &mailServer{refuse: map[string]string{"MAIL": "451 later"}}, "smtp://ADDRESS", nil, "answers 451, 3 times"},
		{"refused", &mailServer{refuse: map[string]string{"RCPT": "550 nobody"}}, "smtp://ADDRESS", nil, "answers 550"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address, trust := serveMail(t, c.server)
			var waited []time.Duration
			s := notify.Settings{On: []notify.Kind{notify.Failed}, SMTP: secret.New(strings.ReplaceAll(c.url, "ADDRESS", address)), From: "Skein <skein@example.com>",
				To: []string{"ops@example.com", "Ana <ana@example.com>"}, Redact: redact, Trust: trust, Pause: pauses(&waited)}
			told := fmt.Sprint(s.Send(t.Context(), message))
			if c.want != "" {
				if !strings.Contains(told, c.want) || strings.Contains(told+c.server.heardPlain(), "s3cret-w0rd") || strings.Contains(c.server.heardPlain(), b64("\x00me\x00s3cret-w0rd")) {
					t.Errorf("told %s; the server heard\n%s", told, c.server.heard())
				}
				return
			}
			if told != "[]" {
				t.Fatal(told)
			}
			for _, want := range c.heard {
				if !strings.Contains("\n"+c.server.heard()+"\n", "\n"+want+"\n") && !strings.Contains(c.server.heard(), want+" BODY=8BITMIME") {
					t.Errorf("the server did not hear %q but\n%s", want, c.server.heard())
				}
			}
			checkMail(t, c.server.message)
		})
	}
}

// heardPlain is what came without encryption.
func (m *mailServer) heardPlain() string {
	var plain []string
	for _, line := range strings.Split(m.heard(), "\n") {
		if !strings.HasPrefix(line, "tls ") {
			plain = append(plain, line)
		}
	}
	return strings.Join(plain, "\n")
}

func checkMail(t *testing.T, raw string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	body, readErr := io.ReadAll(quotedprintable.NewReader(m.Body))
	to, listErr := m.Header.AddressList("To")
	if err != nil || readErr != nil || listErr != nil {
		t.Fatal(err, readErr, listErr)
	}
	if subject != "[skein] prod: <2026-03> & more failed" || len(to) != 2 || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("headers %v", m.Header)
	}
	if want := "prod: <2026-03> & more failed\r\neu: password is ***\r\nnext: look at ***\r\n"; string(body) != want {
		t.Errorf("body %q, want %q", body, want)
	}
}

// A server whose certificate nobody vouches for gets neither password nor message, whatever it offers.
func TestMailUntrusted(t *testing.T) {
	t.Parallel()
	server := &mailServer{startTLS: true, auth: "PLAIN"}
	address, _ := serveMail(t, server)
	s := notify.Settings{On: []notify.Kind{notify.Failed}, SMTP: secret.New("smtp://me:s3cret-w0rd@" + address), From: "skein@example.com", To: []string{"ops@example.com"}}
	told := fmt.Sprint(s.Send(t.Context(), message))
	if !strings.Contains(told, "certificate") || strings.Contains(server.heard(), "AUTH") || strings.Contains(server.heard(), "MAIL") {
		t.Errorf("told %s; the server heard\n%s", told, server.heard())
	}
}

// A title with a line's end makes no header of its own.
func TestMailHeaders(t *testing.T) {
	t.Parallel()
	server := &mailServer{}
	address, _ := serveMail(t, server)
	s := notify.Settings{On: []notify.Kind{notify.Done}, SMTP: secret.New("smtp://" + address), From: "skein@example.com", To: []string{"ops@example.com"}}
	if failed := s.Send(t.Context(), notify.Message{Kind: notify.Done, Title: "a\r\nBcc: x@example.com", Lines: []string{".", "two é"}}); len(failed) > 0 {
		t.Fatal(failed)
	}
	m, err := mail.ReadMessage(strings.NewReader(server.message))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if m.Header.Get("Bcc") != "" || err != nil || !strings.Contains(string(body), "\r\n.\r\ntwo é\r\n") {
		t.Errorf("headers %v, body %q, %v", m.Header, body, err)
	}
}
