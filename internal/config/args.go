package config

import (
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// Grammar is what the caller's verbs add to the command line.
type Grammar struct {
	// Verbs are the words accepted as verbs; one of several words ("config
	// explain") is returned as one. Nil accepts any word.
	Verbs []string
	// Flags are the switches of single verbs, without a dash: "keep".
	Flags []VerbFlag
	// Words maps a verb to the settings that take the bare words after it: one word each, and the last all that are left,
	// joined by blanks: add create customer.
	Words map[string][]string
	// Families maps a verb to another whose settings it shares: promote to deploy.
	Families map[string]string
}

// VerbFlag is a switch that has a meaning for one verb.
type VerbFlag struct{ Verb, Name string }

// CommandLine is a command line taken apart. It holds no setting's meaning yet:
// Load gives it that.
type CommandLine struct {
	// Verbs in the order given.
	Verbs []string
	// Flags that were given, by their long name: "debug", "quiet", "version",
	// "help", "no-prompt", and the names of Grammar.Flags.
	Flags []string
	// Values are the settings, in the order given.
	Values []Argument
}

// Has reports whether a flag was given.
func (c CommandLine) Has(flag string) bool { return slices.Contains(c.Flags, flag) }

// Argument is one -key=value.
type Argument struct {
	Key   string // as Lookup knows it, or "environments.<name>.<key>"
	Value secret.Text
	Flag  string // as it was written, without the value
}

// commonFlags maps every spelling of a switch to its long name. "" is accepted
// and changes nothing: Skein has no update check and no editions.
var commonFlags = map[string]string{
	"-X": "debug", "--debug": "debug",
	"-q": "quiet", "--quiet": "quiet",
	"-v": "version", "-version": "version", "--version": "version",
	"-?": "help", "-h": "help", "-help": "help", "--help": "help",
	"-n": "no-prompt", "--no-prompt": "no-prompt",
	"-skipCheckForUpdate": "", "-communityFallback": "", "-community": "", "-teams": "", "-pro": "", "-enterprise": "", "-checkLicence": "",
}

// absentFlags are Flyway's switches that Skein does not have in this release.
var absentFlags = []string{"migrationIds", "changes", "drift", "code", "dryrun", "IAgreeToTheEula", "logout", "startEnterpriseTrial"}

// Parse takes a command line apart (without the program's name): Flyway's form
// (-url=…, verbs anywhere, -X) and GNU's (--url=…, --url …, --baseline-version 1,
// --out-of-order for true). Its error is Mistakes, with everything it found.
func Parse(args []string, g Grammar) (CommandLine, error) {
	p := parser{grammar: g, rest: args, first: map[string]string{}}
	for len(p.rest) > 0 {
		arg := p.next()
		switch {
		case arg == "":
		case !strings.HasPrefix(arg, "-") || arg == "-":
			p.verb(arg)
		case !p.flag(arg):
			p.setting(arg)
		}
	}
	p.checkVerbFlags()
	return p.line, p.found.mistakes.err()
}

type parser struct {
	grammar Grammar
	rest    []string
	line    CommandLine
	first   map[string]string // key → the flag that gave it
	words   int               // taken by settings of the verb
	found   findings
}

func (p *parser) next() string {
	arg := p.rest[0]
	p.rest = p.rest[1:]
	return arg
}

func (p *parser) verb(word string) {
	for _, v := range p.line.Verbs {
		if keys, takes := p.grammar.Words[v]; takes {
			p.word(keys[min(p.words, len(keys)-1)], word)
			p.words++
			return
		}
	}
	if p.grammar.Verbs != nil {
		whole, more := p.longest(word)
		if whole == "" {
			p.invalid(word, p.meant(word))
			return
		}
		word, p.rest = whole, p.rest[more:]
	}
	p.line.Verbs = append(p.line.Verbs, word)
}

// longest finds the verb of the most words that the line goes on with, and how many words it has after the first.
func (p *parser) longest(word string) (verb string, more int) {
	for n := 0; ; n++ {
		if slices.Contains(p.grammar.Verbs, word) {
			verb, more = word, n
		}
		if n == len(p.rest) || strings.HasPrefix(p.rest[n], "-") {
			return verb, more
		}
		word += " " + p.rest[n]
	}
}

// word adds a bare word to the text of a verb's setting.
func (p *parser) word(key, word string) {
	i := slices.IndexFunc(p.line.Values, func(a Argument) bool { return a.Key == key })
	switch {
	case i < 0:
		p.first[key] = word
		p.line.Values = append(p.line.Values, Argument{Key: key, Value: secret.New(word), Flag: "the command line"})
	case p.line.Values[i].Flag == "the command line":
		p.line.Values[i].Value = secret.New(p.line.Values[i].Value.Reveal() + " " + word)
	default:
		p.invalid(word, "the text was given before as "+p.line.Values[i].Flag)
	}
}

// ofVerb finds a setting of a verb that stands before it on the line, by its name without the verb's.
func (p *parser) ofVerb(name string) (string, Key, bool) {
	for _, v := range p.line.Verbs {
		if family, ok := p.grammar.Families[v]; ok {
			v = family
		}
		for _, candidate := range []string{v + "." + name, v + "." + camel(name)} {
			if k, ok := byName[candidate]; ok {
				return candidate, *k, true
			}
		}
	}
	return "", Key{}, false
}

// meant says which verbs a word may have been begun for.
func (p *parser) meant(word string) string {
	var longer []string
	for _, v := range p.grammar.Verbs {
		if strings.HasPrefix(v, word+" ") {
			longer = append(longer, v)
		}
	}
	if len(longer) > 0 {
		return "the verbs are " + strings.Join(longer, ", ")
	}
	return didYouMean(word, p.grammar.Verbs)
}

// invalid is Flyway's message for a word it does not know.
func (p *parser) invalid(word, hint string) {
	p.found.coded(Plain, Origin{}, word, hint, "Invalid flag: %s", word)
}

// flag takes a switch; false: it is none.
func (p *parser) flag(arg string) bool {
	name, common := commonFlags[arg]
	bare := strings.TrimLeft(arg, "-")
	if _, _, ok := p.ofVerb(bare); ok {
		return false // add --version 7
	}
	declared := func(want string) bool {
		return slices.ContainsFunc(p.grammar.Flags, func(f VerbFlag) bool { return f.Name == want })
	}
	switch {
	case common:
	case declared(bare):
		name = bare
	case declared(camel(bare)):
		name = camel(bare)
	case slices.Contains(absentFlags, bare):
		p.invalid(arg, "Skein does not have it in this release")
		return true
	default:
		return false
	}
	if name != "" && !p.line.Has(name) {
		p.line.Flags = append(p.line.Flags, name)
	}
	return true
}

// setting takes -key=value, --key=value, --key value or --switch.
func (p *parser) setting(arg string) {
	written, text, hasValue := strings.Cut(arg, "=")
	long := strings.HasPrefix(written, "--")
	name := strings.TrimPrefix(strings.TrimPrefix(written, "-"), "-")
	key, k, ofVerb := p.ofVerb(name)
	known := ofVerb
	if !ofVerb {
		key, k, known = argumentKey(name)
	}
	switch {
	case !known && !hasValue:
		p.invalid(written, didYouMean(camel(name), append(names(Flag), p.flagNames()...)))
		p.skipValue()
		return
	case !known:
		p.found.mistake(Origin{Kind: FromFlag, Name: written}, name, didYouMean(camel(name), names(Flag)),
			"Unknown configuration property: flyway.%s. Please check your conf files or commandline parameters", name)
		return
	case !hasValue && (long || ofVerb) && k.Kind == Boolean:
		text = "true"
		if len(p.rest) > 0 && isBool(p.rest[0]) {
			text = p.next()
		}
	case !hasValue && long && len(p.rest) > 0:
		text = p.next()
	case !hasValue:
		p.invalid(written, "write "+written+"=<"+k.Kind.String()+">")
		p.skipValue()
		return
	}
	o := Origin{Kind: FromFlag, Name: written}
	if k.Standing == OtherVerb {
		p.found.mistake(o, name, "", "%s, which Skein does not have", k.Note)
		return
	}
	if i := slices.IndexFunc(p.line.Values, func(a Argument) bool { return a.Key == key }); i >= 0 && ofVerb && k.Kind == List {
		p.line.Values[i].Value = secret.New(p.line.Values[i].Value.Reveal() + "," + text)
		return
	}
	if earlier, twice := p.first[key]; twice {
		p.found.coded(Fault, o, name, "it was given before as "+earlier, "Duplicate key %s", key)
		return
	}
	p.first[key] = written
	p.line.Values = append(p.line.Values, Argument{Key: key, Value: secret.New(text), Flag: written})
}

// skipValue passes over the word after a setting that was not understood. It is
// most likely its value, and must not show up in a message: it may be a password.
func (p *parser) skipValue() {
	if len(p.rest) > 0 && !strings.HasPrefix(p.rest[0], "-") && !slices.Contains(p.grammar.Verbs, p.rest[0]) {
		p.next()
	}
}

func (p *parser) flagNames() []string {
	var list []string
	for _, f := range p.grammar.Flags {
		list = append(list, f.Name)
	}
	return list
}

// checkVerbFlags refuses a switch whose verb is not on the line.
func (p *parser) checkVerbFlags() {
	for _, name := range p.line.Flags {
		var verbs []string
		for _, f := range p.grammar.Flags {
			if f.Name == name {
				verbs = append(verbs, f.Verb)
			}
		}
		if len(verbs) > 0 && !slices.ContainsFunc(verbs, func(v string) bool { return slices.Contains(p.line.Verbs, v) }) {
			p.invalid("-"+name, "it belongs to "+strings.Join(verbs, ", "))
		}
	}
}

// argumentKey finds the setting behind a flag's name, kebab-case and Skein's own
// without "skein." included.
func argumentKey(name string) (string, Key, bool) {
	if rest, ok := strings.CutPrefix(name, "environments."); ok {
		if env, key, ok := strings.Cut(rest, "."); ok && env != "" {
			form := EnvironmentTOML
			inner, override := strings.CutPrefix(key, "flyway.")
			if override {
				form = TOML
			}
			k, known := Lookup(inner)
			return name, k, known && k.Forms&form != 0
		}
	}
	head, tail, _ := strings.Cut(name, ".")
	if tail != "" {
		tail = "." + tail
	}
	for _, candidate := range []string{name, camel(head) + tail, "skein." + name, "skein." + camel(name)} {
		if k, ok := Lookup(candidate); ok && k.Forms&Flag != 0 {
			return candidate, k, true
		}
	}
	return "", Key{}, false
}

func isBool(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

// argLayers turns the command line into layers: what names an environment
// first, so that a bare key wins over it.
func argLayers(c CommandLine) []layer {
	named, bare := layer{kind: FromFlag}, layer{kind: FromFlag}
	for _, v := range c.Values {
		a := assignment{key: v.Key, value: textValue(v.Value.Reveal()), origin: Origin{Kind: FromFlag, Name: v.Flag}}
		if rest, ok := strings.CutPrefix(v.Key, "environments."); ok {
			a.env, a.key, _ = strings.Cut(rest, ".")
			a.key, a.override = strings.CutPrefix(a.key, "flyway.")
			named.assignments = append(named.assignments, a)
			continue
		}
		bare.assignments = append(bare.assignments, a)
	}
	return []layer{named, bare}
}
