package config

import (
	"errors"
	"math"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/release"
)

// Shape is what the text of a setting, or each item of a list, has to look like.
type Shape int

// The shapes. An empty text has any of them.
const (
	AnyShape  Shape = iota
	Duration        // 90s, 24h, 2d, 1h30m; 0
	Share           // 5 or 2%
	Wave            // 1, 10% or rest
	PublicKey       // ssh-ed25519 AAAA… comment, ed25519 AAAA…
	TimeZone        // Europe/Berlin
	Location        // filesystem:releases, s3://bucket/prefix, a folder
	HTTP            // http://…, https://…
	SMTP            // smtp://…, smtps://…
	Mail            // ops@example.com
)

// String gives the shape's name for help and documentation, "" for AnyShape.
func (s Shape) String() string {
	return [...]string{"", "duration", "number or %", "number, % or rest", "public keys", "time zone", "location", "URL", "URL", "mail addresses"}[s]
}

// check says what is wrong with a text, and what to write. It quotes nothing: the text may be a secret.
func (s Shape) check(text string) (hint string, wrong error) {
	if text == "" {
		return "", nil
	}
	switch s {
	case Duration:
		_, err := ParseDuration(text)
		return "write 90s, 30m, 24h or 2d", err
	case Share:
		if _, err := pipeline.ParseBudget(text); err != nil {
			return "write a number or a percentage: 0, 5, 2%", errors.New("is neither a number nor a percentage from 0% to 100%")
		}
	case Wave:
		if _, err := pipeline.ParseWave(text); err != nil {
			return "write 1, 10% or rest", errors.New("is neither a number above 0, nor a percentage up to 100%, nor rest")
		}
	case PublicKey:
		if _, err := release.ParsePublicKey(text); err != nil {
			return "write the line of a file such as ~/.ssh/id_ed25519.pub, which ssh-keygen -t ed25519 makes", errors.New("is no public key of the kind ssh-ed25519, or not all of one")
		}
	case TimeZone:
		if text == "Local" {
			return "write Europe/Berlin, America/New_York or UTC", errors.New("is another zone on each machine")
		}
		if _, err := time.LoadLocation(text); err != nil {
			return "write Europe/Berlin, America/New_York or UTC", errors.New("is no time zone that this machine knows")
		}
	case Location:
		return checkLocation(text)
	case HTTP:
		return checkURL(text, "http", "https")
	case SMTP:
		return checkURL(text, "smtp", "smtps")
	case Mail:
		if _, err := mail.ParseAddress(text); err != nil {
			return "write ops@example.com or Ops <ops@example.com>", errors.New("is no mail address")
		}
	}
	return "", nil
}

func checkLocation(text string) (hint string, wrong error) {
	hint = "write filesystem:releases or s3://bucket/prefix"
	switch kind, rest, found := strings.Cut(text, ":"); {
	case !found, len(kind) == 1: // a folder; C:\releases
	case !slices.Contains([]string{"filesystem", "s3"}, kind):
		return hint, errors.New("is no place that releases can be kept in")
	case strings.Trim(rest, "/") == "":
		return hint, errors.New("names no place")
	}
	return "", nil
}

func checkURL(text string, schemes ...string) (hint string, wrong error) {
	hint = "write " + strings.Join(schemes, "://… or ") + "://…"
	u, err := url.Parse(text)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" {
		return hint, errors.New("is no URL of the right kind")
	}
	return "", nil
}

// ParseDuration reads "90s", "30m", "24h", "2d" (days of 24 hours), sums such as "1d12h", and "0". Less than nothing is
// an error.
func ParseDuration(text string) (time.Duration, error) {
	bad := errors.New("is not a duration")
	if days, rest, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, bad
		}
		total := time.Duration(n) * 24 * time.Hour
		if rest == "" {
			return total, nil
		}
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 || more > math.MaxInt64-total {
			return 0, bad
		}
		return total + more, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, bad
	}
	return d, nil
}
