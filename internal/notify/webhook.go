package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header of a signed post: t=<seconds since 1970>,v1=<hex of HMAC-SHA256 of "<t>.<body>">.
const SignatureHeader = "Skein-Signature"

// slack posts what Slack, Mattermost, Rocket.Chat and others take: {"text": …}.
func (s Settings) slack(ctx context.Context, m Message) error {
	body, err := json.Marshal(map[string]string{"text": slackText(m)})
	if err != nil {
		return err
	}
	return s.post(ctx, s.Slack.Reveal(), body, nil)
}

// slackText is the message in Slack's markup, in which &, < and > are written as in HTML.
func slackText(m Message) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	title, rest, _ := strings.Cut(m.Text(), "\n")
	return strings.TrimSpace("*" + strings.ReplaceAll(escape(title), "*", "∗") + "*\n" + escape(rest))
}

// webhook posts the message as JSON, signed if there is a key.
func (s Settings) webhook(ctx context.Context, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	headers := map[string]string{}
	if !s.WebhookSecret.IsEmpty() {
		headers[SignatureHeader] = sign(s.WebhookSecret.Reveal(), time.Now(), body)
	}
	return s.post(ctx, s.Webhook.Reveal(), body, headers)
}

// sign makes the value of SignatureHeader. The time is signed too, so that a post cannot be played again later.
func sign(key string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// post posts JSON. Errors hold the host at most: the path of such a URL is often a secret.
func (s Settings) post(ctx context.Context, address string, body []byte, headers map[string]string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "skein")
	for name, text := range headers {
		request.Header.Set(name, text)
	}
	client, closeIdle := s.client()
	defer closeIdle()
	response, err := client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err
		}
		return temporary{fmt.Errorf("%s does not answer: %w", request.URL.Host, err), 0}
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // so that the connection ends in order
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return nil
	}
	err = fmt.Errorf("%s answers %s", request.URL.Host, response.Status)
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		seconds, _ := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16) // a date is taken for none
		return temporary{err, time.Duration(seconds) * time.Second}
	}
	return err
}
