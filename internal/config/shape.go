package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
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
		_, err := ParseAmount(text)
		return "write a number or a percentage: 0, 5, 2%", err
	case Wave:
		if text == "rest" {
			return "", nil
		}
		amount, err := ParseAmount(text)
		if err == nil && amount.Count == 0 && amount.Percent == 0 {
			err = errors.New("is a wave of nothing")
		}
		return "write 1, 10% or rest", err
	case PublicKey:
		_, err := ParsePublicKey(text)
		return "write the line of a file such as ~/.ssh/id_ed25519.pub", err
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

// Amount is so many, or a share of all: one of the two is zero.
type Amount struct {
	Count   int
	Percent float64 // 0 to 100
}

// Of is the amount of so many: a percentage is rounded up, and nothing gives more than there are.
func (a Amount) Of(all int) int {
	n := a.Count
	if a.Percent > 0 {
		n = int(math.Ceil(a.Percent*float64(all)/100 - 1e-9))
	}
	return min(n, all)
}

// ParseAmount reads "5" or "2.5%".
func ParseAmount(text string) (Amount, error) {
	if share, percent := strings.CutSuffix(text, "%"); percent {
		p, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
		if err != nil || !(p >= 0 && p <= 100) {
			return Amount{}, errors.New("is not a percentage from 0% to 100%")
		}
		return Amount{Percent: p}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return Amount{}, errors.New("is neither a number nor a percentage")
	}
	return Amount{Count: n}, nil
}

// ParsePublicKey reads a line of an SSH public key of the kind ssh-ed25519, or "ed25519" and the key in base64. What
// follows is a comment.
func ParsePublicKey(text string) (ed25519.PublicKey, error) {
	words := strings.Fields(text)
	if len(words) < 2 {
		return nil, errors.New("is no public key")
	}
	raw, err := base64.StdEncoding.DecodeString(words[1])
	if err != nil {
		return nil, errors.New("is no public key: its second word is not base64")
	}
	switch words[0] {
	case "ed25519":
		if len(raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("is no public key: ed25519 has %d bytes, this has %d", ed25519.PublicKeySize, len(raw))
		}
		return raw, nil
	case "ssh-ed25519":
		kind, rest, ok := sshText(raw)
		key, rest, whole := sshText(rest)
		if !ok || !whole || string(kind) != "ssh-ed25519" || len(key) != ed25519.PublicKeySize || len(rest) != 0 {
			return nil, errors.New("is no public key: it was cut short or changed")
		}
		return key, nil
	}
	if strings.HasPrefix(words[0], "ssh-") || strings.HasPrefix(words[0], "ecdsa-") || strings.HasPrefix(words[0], "sk-") {
		return nil, errors.New("is a key of a kind that is not taken: only ssh-ed25519 is (ssh-keygen -t ed25519)")
	}
	return nil, errors.New("is no public key")
}

// sshText cuts one text off a message of SSH's: its length, four bytes, comes first.
func sshText(raw []byte) (text, rest []byte, ok bool) {
	if len(raw) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(raw))
	if uint64(len(raw)-4) < n {
		return nil, nil, false
	}
	return raw[4 : 4+n], raw[4+n:], true
}
