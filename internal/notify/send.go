package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/skein-db/skein/internal/secret"
)

// Settings say who is told of what. The zero value tells nobody.
type Settings struct {
	On            []Kind
	Slack         secret.Text // the URL of an incoming webhook
	Webhook       secret.Text // a URL that JSON is posted to
	WebhookSecret secret.Text // the key of its signature; without one there is none
	SMTP          secret.Text // smtp://user:password@host:587, smtps://host
	From          string
	To            []string
	// Redact takes secrets out of every text before it is sent; nil leaves texts as they are.
	Redact func(string) string
	// Trust are the certificates that servers are verified with; nil are the system's.
	Trust *tls.Config
	// Pause waits between two attempts; nil waits for real.
	Pause func(context.Context, time.Duration) error
}

const (
	attempts = 3
	// oneTry bounds an attempt, and with the pauses between them all three take less than a minute.
	oneTry = 15 * time.Second
	// longestPause bounds what a server may ask for.
	longestPause = 5 * time.Second
)

// Send sends the message wherever Settings say, to all at once, if On has its kind. It returns what failed, each a line for a warning:
// a notification that is lost is no failure of what it is about. It comes back within a minute, and when ctx is over.
func (s Settings) Send(ctx context.Context, m Message) []error {
	if !slices.Contains(s.On, m.Kind) {
		return nil
	}
	m = m.masked(s.Redact)
	ways := []struct {
		name string
		on   bool
		send func(context.Context, Message) error
	}{
		{"Slack", !s.Slack.IsEmpty(), s.slack},
		{"the webhook", !s.Webhook.IsEmpty(), s.webhook},
		{"mail", !s.SMTP.IsEmpty(), s.mail},
	}
	failed := make([]error, len(ways))
	var group sync.WaitGroup
	for i, way := range ways {
		if !way.on {
			continue
		}
		group.Go(func() {
			if err := s.insist(ctx, func(ctx context.Context) error { return way.send(ctx, m) }); err != nil {
				text := err.Error()
				if s.Redact != nil {
					text = s.Redact(text)
				}
				failed[i] = fmt.Errorf("%s was not told (%s): %s", way.name, m.Title, text)
			}
		})
	}
	group.Wait()
	return slices.DeleteFunc(failed, func(err error) bool { return err == nil })
}

// temporary is an error that may be gone at the next attempt; after is for how long the server wants to be left alone.
type temporary struct {
	error
	after time.Duration
}

// insist tries again what failed for a reason that may pass.
func (s Settings) insist(ctx context.Context, send func(context.Context) error) error {
	pause := s.Pause
	if pause == nil {
		pause = wait
	}
	for i := 1; ; i++ {
		err := bounded(ctx, send)
		passing, ok := errors.AsType[temporary](err)
		if !ok {
			return err
		}
		if i == attempts {
			return fmt.Errorf("%w, %d times", passing.error, attempts)
		}
		rest := min(max(passing.after, time.Duration(i)*time.Second), longestPause)
		if pause(ctx, rest) != nil {
			return passing.error
		}
	}
}

func bounded(ctx context.Context, send func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, oneTry)
	defer cancel()
	return send(ctx)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// client does not send on to another address: the message is for the one that was given.
func (s Settings) client() (*http.Client, func()) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.Trust.Clone(), ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, transport.CloseIdleConnections
}
