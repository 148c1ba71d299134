package report

import (
	"reflect"
	"unicode/utf8"
)

// scrub takes secrets out of every text of the run, and only then cuts long ones: the rest of a secret that a cut left
// would not be recognised. A caret is dropped where its line is not the same any more.
func (run *Run) scrub(redact func(string) string) {
	source := ""
	if run.Failure != nil {
		source = run.Failure.Source
	}
	texts(reflect.ValueOf(run).Elem(), redact)
	if run.Failure != nil && run.Failure.Source != source {
		run.Failure.Column = 0
	}
	for i := range run.Steps {
		for j := range run.Steps[i].Statements {
			s := &run.Steps[i].Statements[j]
			s.SQL, s.Cut = cut(s.SQL, sqlCharacters)
		}
	}
}

// texts replaces each string that can be reached from v. Every field counts, so that a new one cannot be forgotten.
func texts(v reflect.Value, redact func(string) string) {
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); s != "" && v.Type() != reflect.TypeFor[State]() { // a word of ours that decisions hang on
			v.SetString(redact(s))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			texts(v.Elem(), redact)
		}
	case reflect.Slice:
		for i := range v.Len() {
			texts(v.Index(i), redact)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				texts(v.Field(i), redact)
			}
		}
	}
}

// cut keeps the first n characters and says how many it left out.
func cut(s string, n int) (string, int) {
	if len(s) <= n {
		return s, 0
	}
	at := 0
	for range n {
		if at == len(s) {
			return s, 0
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return s[:at], utf8.RuneCountInString(s[at:])
}
