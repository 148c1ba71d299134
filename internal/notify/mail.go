package notify

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"
)

// mail hands the message to a mail server: smtp:// with STARTTLS where the server offers it, and only with it if there is
// a password; smtps:// encrypted from the first byte. Ports are 587 and 465 unless the URL says otherwise.
func (s Settings) mail(ctx context.Context, m Message) error {
	from, to, err := s.addresses()
	if err != nil {
		return err
	}
	u, err := url.Parse(s.SMTP.Reveal())
	if err != nil || u.Hostname() == "" {
		return errors.New("notify.smtp is no URL such as smtp://user:password@host:587")
	}
	client, err := s.dial(ctx, u)
	if err != nil {
		return passing(u.Hostname(), err)
	}
	defer func() { _ = client.Close() }() // it is closed already after QUIT
	if err := s.login(client, u); err != nil {
		return passing(u.Hostname(), err)
	}
	if err := deliver(client, from.Address, to, mailText(m, from, to, time.Now())); err != nil {
		return passing(u.Hostname(), err)
	}
	_ = client.Quit() // the message is taken already
	return nil
}

func (s Settings) addresses() (from *mail.Address, to []*mail.Address, err error) {
	if from, err = mail.ParseAddress(s.From); err != nil {
		return nil, nil, errors.New("notify.from is no mail address")
	}
	for _, text := range s.To {
		address, err := mail.ParseAddress(text)
		if err != nil {
			return nil, nil, fmt.Errorf("notify.to: %q is no mail address", text)
		}
		to = append(to, address)
	}
	if len(to) == 0 {
		return nil, nil, errors.New("notify.to names nobody")
	}
	return from, to, nil
}

func (s Settings) dial(ctx context.Context, u *url.URL) (*smtp.Client, error) {
	implicit := u.Scheme == "smtps"
	port := u.Port()
	switch {
	case port == "" && implicit:
		port = "465"
	case port == "":
		port = "587"
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a connection that cannot be bounded fails at the first byte
	}
	if implicit {
		conn = tls.Client(conn, s.tls(u.Hostname()))
	}
	client, err := smtp.NewClient(conn, u.Hostname())
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	if implicit {
		return client, nil
	}
	if offered, _ := client.Extension("STARTTLS"); offered {
		if err := client.StartTLS(s.tls(u.Hostname())); err != nil {
			_ = client.Close()
			return nil, err
		}
	}
	return client, nil
}

func (s Settings) tls(host string) *tls.Config {
	c := s.Trust.Clone()
	if c == nil {
		c = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	c.ServerName = host
	return c
}

// errPlain is about a password that would go over the wire as it is.
var errPlain = errors.New("the server offers no encryption (STARTTLS), and the password is not sent without: use smtps://, or leave user and password out")

func (s Settings) login(client *smtp.Client, u *url.URL) error {
	if u.User == nil {
		return nil
	}
	if _, encrypted := client.TLSConnectionState(); !encrypted {
		return errPlain
	}
	password, _ := u.User.Password()
	_, methods := client.Extension("AUTH")
	if fields := strings.Fields(methods); !slices.Contains(fields, "PLAIN") && slices.Contains(fields, "LOGIN") {
		return client.Auth(&loginAuth{user: u.User.Username(), password: password})
	}
	return client.Auth(smtp.PlainAuth("", u.User.Username(), password, u.Hostname()))
}

// loginAuth is the method LOGIN, which some servers offer alone: user and password, one after the other.
type loginAuth struct {
	user, password string
	step           int
}

func (a *loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a *loginAuth) Next(_ []byte, more bool) ([]byte, error) {
	a.step++
	switch {
	case !more:
		return nil, nil
	case a.step == 1:
		return []byte(a.user), nil
	case a.step == 2:
		return []byte(a.password), nil
	}
	return nil, errors.New("the server asks for more than user and password")
}

func deliver(client *smtp.Client, from string, to []*mail.Address, text []byte) error {
	if err := client.Mail(from); err != nil {
		return err
	}
	for _, address := range to {
		if err := client.Rcpt(address.Address); err != nil {
			return err
		}
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Close()
}

// passing words an error of the connection or the server, and says whether it may pass: broken connections, and what
// the server answers with a code of 400 to 499.
func passing(host string, err error) error {
	if errors.Is(err, errPlain) {
		return fmt.Errorf("%s: %w", host, err)
	}
	answer, answered := errors.AsType[*textproto.Error](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case answered && answer.Code/100 == 4:
		return temporary{fmt.Errorf("%s answers %d", host, answer.Code), 0}
	case answered && answer.Code == 535:
		return fmt.Errorf("%s answers 535: user or password is wrong", host)
	case answered: // the text may repeat what was sent
		return fmt.Errorf("%s answers %d", host, answer.Code)
	case untrusted:
		return fmt.Errorf("%s: %w", host, err)
	}
	return temporary{fmt.Errorf("%s: %w", host, err), 0}
}

// mailText is the message with its headers.
func mailText(m Message, from *mail.Address, to []*mail.Address, now time.Time) []byte {
	var names []string
	for _, address := range to {
		names = append(names, address.String())
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // it does not fail
	_, host, _ := strings.Cut(from.Address, "@")
	var b bytes.Buffer
	for _, header := range [][2]string{
		{"From", from.String()}, {"To", strings.Join(names, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", "[skein] "+oneLine(m.Title))},
		{"Date", now.Format(time.RFC1123Z)}, {"Message-ID", "<" + hex.EncodeToString(id) + "@" + host + ">"},
		{"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "quoted-printable"},
	} {
		b.WriteString(header[0] + ": " + header[1] + "\r\n")
	}
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(m.Text(), "\n", "\r\n") + "\r\n")) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// oneLine keeps a text from ending its header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\r' || r == '\n' }), " ")
}
