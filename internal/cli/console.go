package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/skein-db/skein/internal/secret"
)

// console is where text goes. It knows the difference between the two faces:
//
//	                  flyway            skein
//	results           stdout            stdout
//	info lines        stdout            stderr
//	WARNING:          stdout            stderr, "warning:"
//	ERROR:            stderr            stderr, "error:"
//	DEBUG: (-X)       stdout            stderr, "debug:"
//	-q                hides results     keeps results
//	                  and info lines    and hides info lines
//
// With JSON output nothing of this is printed, except with outputLogsInJson: one JSON object a line on stderr.
type console struct {
	stdout, stderr io.Writer
	file           io.Writer // a copy of every line, uncoloured; nil: none
	redactor       *secret.Redactor

	flyway     bool
	quiet      bool
	debug      bool
	json       bool // one document on stdout, nothing beside it
	jsonLogs   bool
	onlyRaw    bool // nothing but raw on stdout
	noProgress bool // the setting progress=never
	colour     bool // of stdout under flyway, of stderr under skein
	paintOut   bool // colour of results

	mu   sync.Mutex
	live *live // where progress is shown, on stderr; nil: it is no terminal
}

type level string

const (
	levelDebug   level = "DEBUG"
	levelInfo    level = "INFO"
	levelWarning level = "WARN"
	levelError   level = "ERROR"
)

// Colours of the terminal: what Flyway uses for the same lines.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	grey   = "90"
)

func paint(on bool, colour, s string) string {
	if !on || s == "" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

func (c *console) info(format string, args ...any) { c.log(levelInfo, fmt.Sprintf(format, args...)) }
func (c *console) warn(text string)                { c.log(levelWarning, text) }
func (c *console) error(text string)               { c.log(levelError, text) }

// place prints an error that begins with a file and a line, where the word "error" would be in the way of editors.
func (c *console) place(text string) {
	if c.json {
		c.log(levelError, text)
		return
	}
	first, rest, found := strings.Cut(text, "\n")
	painted := paint(c.colour, red, first)
	if found {
		painted += "\n" + rest
	}
	c.write(c.stderr, painted+"\n", text+"\n")
}

func (c *console) debugf(format string, args ...any) {
	if c.debug {
		c.log(levelDebug, fmt.Sprintf(format, args...))
	}
}

// result prints what the command was asked for; painted is the same with colours, "" when it has none. Under the name
// flyway it is an info line like any other.
func (c *console) result(plain, painted string) {
	if painted == "" || !c.paintOut {
		painted = plain
	}
	switch {
	case c.json:
		c.log(levelInfo, plain)
	case c.flyway && c.quiet:
	default:
		c.write(c.stdout, painted+"\n", plain+"\n")
	}
}

// raw prints a result without a line feed, log level or colour: a JSON document, a list of migration ids.
func (c *console) raw(text string) { c.write(c.stdout, text, text) }

// bare keeps stdout free for raw: info lines are not printed, warnings go to stderr.
func (c *console) bare() { c.quiet, c.onlyRaw = true, true }

func (c *console) log(l level, text string) {
	if c.json {
		if c.jsonLogs {
			c.jsonLog(l, text)
		}
		return
	}
	if l == levelInfo && c.quiet {
		return
	}
	to := c.stderr
	if c.flyway && l != levelError && !c.onlyRaw {
		to = c.stdout
	}
	word, rest := c.dress(l, text)
	c.write(to, c.tint(l, word, rest)+"\n", word+rest+"\n")
}

// dress puts the level's word before a line.
func (c *console) dress(l level, text string) (word, rest string) {
	if l == levelInfo {
		return "", text
	}
	word = map[level]string{levelDebug: "DEBUG", levelWarning: "WARNING", levelError: "ERROR"}[l] + ": "
	if !c.flyway {
		word = strings.ToLower(word)
	}
	return word, text
}

// tint colours whole lines under the name flyway, as Flyway does, and only the word under skein.
func (c *console) tint(l level, word, rest string) string {
	colour := map[level]string{levelDebug: grey, levelWarning: yellow, levelError: red}[l]
	switch {
	case !c.colour || l == levelInfo && (!c.flyway || !strings.HasPrefix(rest, "Successfully")):
		return word + rest
	case l == levelInfo:
		return paint(true, green, rest)
	case c.flyway:
		return paint(true, colour, word+rest)
	}
	return paint(true, colour, strings.TrimSuffix(word, " ")) + " " + rest
}

func (c *console) jsonLog(l level, text string) {
	if l == levelInfo && c.quiet || l == levelDebug && !c.debug {
		return
	}
	var b strings.Builder
	// A table is many messages, as there.
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		b.WriteString(`{"level":"` + string(l) + `","message":`)
		writeString(&b, line)
		b.WriteString("}\n")
	}
	c.write(c.stderr, b.String(), "")
}

// show puts lines at the bottom of the terminal until something else is printed; no lines take those away that are there.
func (c *console) show(lines ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.live == nil:
	case len(lines) == 0:
		_, _ = io.WriteString(c.stderr, c.live.erase())
	default:
		for i := range lines {
			lines[i] = c.redactor.String(lines[i]) // before it is cut
		}
		_, _ = io.WriteString(c.stderr, c.live.paint(lines, c.colour))
	}
}

// write is, but for show, the only way out of the program: everything passes the redactor here. plain goes to the output file.
func (c *console) write(to io.Writer, text, plain string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != nil {
		_, _ = io.WriteString(c.stderr, c.live.erase())
	}
	// An unwritable stdout must not stop a migration; the file's error is noticed when it is closed.
	_, _ = io.WriteString(to, c.redactor.String(text))
	if c.file != nil && plain != "" {
		_, _ = io.WriteString(c.file, c.redactor.String(plain))
	}
}
