package flywaylive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// What differs from one run, machine or version to the next, and what stands for it. A replacement inside the info
// table is as wide as what it replaces, so that the table still has to be drawn alike.
var variable = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\r\n`), "\n"},
	{regexp.MustCompile(`(?m)^-{40,}\nA more recent version of Flyway[^\n]*\n-{40,}\n`), ""},
	{regexp.MustCompile(`(?m)^Automate migration testing for [^\n]*\n`), ""},
	{regexp.MustCompile(`(?m)^(WARNING: )?Flyway upgrade recommended: [^\n]*\n`), ""},
	{regexp.MustCompile(`(?m)^Flyway (OSS|Community|Teams|Enterprise) Edition \S+ by Redgate\n\n?(See [^\n]*\n\n?)?`), ""},
	{regexp.MustCompile(`(?m)^Database: \S+ \(([A-Za-z]+) [0-9.]+\)$`), "Database: URL ($1 VERSION)"},
	{regexp.MustCompile(`execution time [0-9]{2,}:[0-9]{2}\.[0-9]{3}s`), "execution time 00:00.000s"},
	{regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?\b`), "YYYY-MM-DD hh:mm:ss"},
	{regexp.MustCompile(`https?://[^\s'"]+`), "LINK"},
	{regexp.MustCompile(`(?m)^\tat .*\n|^\t\.\.\. [0-9]+ more\n`), ""},
}

// Text makes console output comparable: dir, the working folder, becomes DIR; times, durations, the banner, versions,
// links, stack frames, advertisements and the notices about newer versions go or become constants; CRLF becomes LF.
func Text(s, dir string) string {
	for _, v := range variable {
		s = v.pattern.ReplaceAllString(s, v.with)
	}
	return withoutFolder(s, dir)
}

func withoutFolder(s, dir string) string {
	if dir == "" {
		return s
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil && real != dir {
		s = strings.ReplaceAll(s, real, "DIR")
	}
	return strings.ReplaceAll(s, dir, "DIR")
}

// JSON makes a document of -outputType=json comparable: keys sorted, two blanks of indent, and Text's replacements in
// every string; times, durations, stack traces and the Flyway version become constants. An empty or null value stays,
// because whether there is one is part of the behaviour.
func JSON(document []byte, dir string) (string, error) {
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", fmt.Errorf("not a JSON document: %w\n%s", err, document)
	}
	if dec.More() {
		return "", fmt.Errorf("more than one JSON document:\n%s", document)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(normal("", v, dir)); err != nil {
		return "", err
	}
	return out.String(), nil
}

var constant = map[string]string{
	"timestamp":      "TIME",
	"installedOnUTC": "TIME",
	"flywayVersion":  "VERSION",
	"stackTrace":     "STACK",
}

func normal(key string, v any, dir string) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = normal(k, e, dir)
		}
		return v
	case []any:
		for i, e := range v {
			v[i] = normal(key, e, dir)
		}
		return v
	case string:
		if c, ok := constant[key]; ok && v != "" {
			return c
		}
		return Text(v, dir)
	case json.Number:
		if key == "executionTime" || key == "totalMigrationTime" {
			return json.Number("0")
		}
	}
	return v
}
