package config

import (
	"net/url"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// RedactURL returns a connection URL for messages: the password before an @ and
// every parameter with a secret's name are masked. It works on malformed URLs
// too, masking rather too much; what is no URL at all is masked whole.
func RedactURL(s string) string {
	if s != "" && !urlShape().MatchString(s) {
		return secret.Mask
	}
	out, _ := splitSecrets(s)
	return out
}

var urlShape = lazily(`^(jdbc(-secretsmanager)?:[a-z0-9-]+:|[a-z]+://)`)

// urlSecrets returns the secrets inside a URL, as written and decoded.
func urlSecrets(s string) []string {
	_, found := splitSecrets(s)
	for _, raw := range found {
		if decoded, err := url.QueryUnescape(raw); err == nil {
			found = append(found, decoded)
		}
		if decoded, err := url.PathUnescape(raw); err == nil {
			found = append(found, decoded)
		}
	}
	return found
}

var keywordPassword = lazily(`(?i)((?:password|passwd|pwd)\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)`)

func splitSecrets(s string) (redacted string, found []string) {
	start := strings.Index(s, "//")
	if start < 0 {
		start = -2
	}
	head, rest := s[:start+2], s[start+2:]
	if start < 0 {
		head, rest = "", s
	}
	if at := endOfUserInfo(rest); at >= 0 {
		if user, password, ok := strings.Cut(rest[:at], ":"); ok && start >= 0 {
			found = append(found, password)
			head, rest = head+user+":"+secret.Mask, rest[at:]
		}
	}
	server, query, hasQuery := strings.Cut(rest, "?")
	if !hasQuery {
		return keywordRedacted(head+rest, found)
	}
	params := strings.Split(query, "&")
	for i, param := range params {
		name, text, ok := strings.Cut(param, "=")
		decoded, err := url.QueryUnescape(name)
		if ok && text != "" && (err != nil || secretName(decoded)) {
			found = append(found, text)
			params[i] = name + "=" + secret.Mask
		}
	}
	return head + server + "?" + strings.Join(params, "&"), found
}

// keywordRedacted masks password=… where there is no query to tell it by.
func keywordRedacted(s string, found []string) (string, []string) {
	for _, m := range keywordPassword().FindAllStringSubmatch(s, -1) {
		found = append(found, strings.Trim(m[2], "'"))
	}
	return keywordPassword().ReplaceAllString(s, "${1}"+secret.Mask), found
}

// endOfUserInfo finds the @ that ends user:password. A password may hold / and ?
// although it should not, so the last @ counts that is no part of a parameter.
func endOfUserInfo(rest string) int {
	for end := len(rest); ; {
		at := strings.LastIndexByte(rest[:end], '@')
		if at < 0 {
			return -1
		}
		if _, after, inQuery := strings.Cut(rest[:at], "?"); !inQuery || !strings.Contains(after, "=") {
			return at
		}
		end = at
	}
}
