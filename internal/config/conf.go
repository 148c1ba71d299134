package config

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// property is one entry of a .conf file.
type property struct {
	key, value string
	line       int
}

// parseConf reads Flyway's dialect of Java properties: lines are trimmed,
// back-slashes are literal (so Windows paths work), and one at a line's end
// continues the line only before a line that is not empty and is no flyway
// property of its own.
//
// env expands ${NAME} in keys and values, empty when undefined. It is expanded
// after the line was taken apart, so a back-slash or # in a variable is literal
// too (Flyway expands first and loses them).
func parseConf(text string, env func(string) (string, bool)) []property {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	var properties []property
	for i := 0; i < len(lines); i++ {
		line, first := trimJava(lines[i]), i+1
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) && continues(lines[i+1]) {
			i++
			line = line[:len(line)-1] + trimJava(lines[i])
		}
		key, value := splitProperty(line)
		properties = append(properties, property{expandEnv(key, env), expandEnv(value, env), first})
	}
	return properties
}

// continues reports whether a line may go on a line that ends in a back-slash.
func continues(line string) bool {
	return line != "" && !(strings.HasPrefix(trimJava(line), "flyway.") && strings.Contains(line, "="))
}

// trimJava drops what Java's trim drops: everything up to and including U+0020.
func trimJava(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// splitProperty cuts at the first =, : or white space; blanks around the
// separator belong to it.
func splitProperty(line string) (key, value string) {
	const blank = " \t\f"
	end := strings.IndexAny(line, "=:"+blank)
	if end < 0 {
		return line, ""
	}
	key, value = line[:end], strings.TrimLeft(line[end:], blank)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blank)
	}
	return key, value
}

var envReference = lazily(`\$\{([A-Za-z0-9_]+)\}`)

func expandEnv(s string, env func(string) (string, bool)) string {
	if !strings.Contains(s, "${") {
		return s
	}
	return envReference().ReplaceAllStringFunc(s, func(reference string) string {
		value, _ := env(reference[2 : len(reference)-1])
		return value
	})
}

// splitList cuts a comma separated list; items are trimmed, empty ones dropped.
func splitList(s string) []string {
	var items []string
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// decodeConf turns a .conf file's bytes into text without a byte order mark.
func decodeConf(data []byte, charset string) (string, error) {
	switch strings.ToUpper(strings.NewReplacer("-", "", "_", "").Replace(charset)) {
	case "UTF8", "":
		return checkUTF8(data)
	case "USASCII", "ASCII":
		for i, c := range data {
			if c >= utf8.RuneSelf {
				return "", fmt.Errorf("byte %d is not US-ASCII", i)
			}
		}
		return string(data), nil
	case "ISO88591", "LATIN1":
		var b strings.Builder
		for _, c := range data {
			b.WriteRune(rune(c))
		}
		return b.String(), nil
	case "UTF16LE":
		return decodeUTF16(data, false)
	case "UTF16BE":
		return decodeUTF16(data, true)
	case "UTF16":
		little := len(data) >= 2 && data[0] == 0xFF && data[1] == 0xFE
		return decodeUTF16(data, !little)
	}
	return "", fmt.Errorf("configFileEncoding %q is not one of UTF-8, US-ASCII, ISO-8859-1, UTF-16, UTF-16LE, UTF-16BE", charset)
}

func checkUTF8(data []byte) (string, error) {
	s := strings.TrimPrefix(string(data), "\ufeff")
	if !utf8.ValidString(s) {
		offset := 0
		for offset < len(data) {
			r, n := utf8.DecodeRune(data[offset:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			offset += n
		}
		return "", fmt.Errorf("byte %d is not UTF-8; set configFileEncoding", offset)
	}
	return s, nil
}

func decodeUTF16(data []byte, bigEndian bool) (string, error) {
	if len(data)%2 != 0 {
		return "", fmt.Errorf("an odd number of bytes is not UTF-16")
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		lo, hi := data[2*i], data[2*i+1]
		if bigEndian {
			lo, hi = hi, lo
		}
		units[i] = uint16(hi)<<8 | uint16(lo)
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff"), nil
}
