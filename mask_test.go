package skein

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"

	"github.com/skein-db/skein/migration"
)

// everyEvent has each type of event once.
var everyEvent = []Event{
	Progress{}, Connected{}, Warning{}, Note{}, Detail{}, HistoryMissing{}, HistoryCreated{}, BaselineWritten{}, SchemaCreated{}, Standing{}, Validated{},
	Planned{}, LockWaiting{}, GaveWay{}, StepStarted{}, Resumed{}, StepDone{}, StatementDone{}, QueryResult{}, Notice{}, ProgramStarted{}, ProgramOutput{},
	CallbackStarted{}, Migrated{}, Undone{}, RepairRemoved{}, RepairDeleted{}, RepairAligned{}, DecidedByHand{}, Repaired{}, Cleaned{}, Dropped{},
}

// harmless are the texts that no mask touches: names, words of the server's or of ours, and what stands in the project's
// files or in the history.
var harmless = map[string]string{
	"Progress.Path":             "a file",
	"Progress.Command":          "the server's word",
	"Progress.Phase":            "the server's word",
	"Progress.Relation":         "a name",
	"Progress.Unit":             "a word of ours",
	"Progress.Wait":             "the server's word",
	"Progress.Blockers.User":    "a name",
	"Progress.Blockers.Host":    "a name",
	"Progress.Blockers.State":   "the server's word",
	"Connected":                 "names of the target",
	"HistoryMissing":            "names",
	"HistoryCreated":            "names",
	"SchemaCreated.Schema":      "a name",
	"BaselineWritten.Schema":    "a name",
	"Warning.Path":              "a file",
	"StatementDone.Path":        "a file",
	"StatementDone.Tag":         "the server's word for the command",
	"QueryResult.Path":          "a file",
	"Notice.Severity":           "the server's word",
	"Notice.Code":               "the server's word",
	"ProgramStarted.Path":       "a file",
	"ProgramOutput.Path":        "a file",
	"Planned.Schema":            "a name",
	"Planned.Current":           "a version",
	"Planned.Fingerprint":       "a digest",
	"StepStarted.Schema":        "a name",
	"Migrated.Schema":           "a name",
	"Undone.Schema":             "a name",
	"Repaired":                  "names",
	"Cleaned.Schema":            "a name",
	"Dropped.Schema":            "a name",
	"LockWaiting.Path":          "a file",
	"LockWaiting.Relation":      "a name",
	"LockWaiting.Others.User":   "a name",
	"LockWaiting.Others.Host":   "a name",
	"LockWaiting.Others.State":  "the server's word",
	"GaveWay.Path":              "a file",
	"LockWaiting.Worker.User":   "a name",
	"LockWaiting.Worker.Host":   "a name",
	"LockWaiting.Worker.State":  "the server's word",
	"LockWaiting.Holder.User":   "a name",
	"LockWaiting.Holder.Host":   "a name",
	"LockWaiting.Holder.State":  "the server's word",
	"Standing.Unfinished.Since": "a time",
}

// Every text of every event is masked or known to be harmless: a new field has to be put in one of the two places.
func TestEveryTextOfAnEventIsMasked(t *testing.T) {
	t.Parallel()
	const canary = "canary-of-the-events"
	r := &run{}
	r.masks.Add(canary)
	met, known := map[string]bool{}, map[string]bool{}
	for _, e := range everyEvent {
		known[reflect.TypeOf(e).Name()] = true
		filled := reflect.New(reflect.TypeOf(e)).Elem()
		fill(filled, canary)
		event := r.masked(filled.Interface().(Event))
		texts(reflect.ValueOf(event), reflect.TypeOf(e).Name(), func(path, text string) {
			for name := range harmless {
				if path == name || strings.HasPrefix(path, name+".") {
					met[name] = true
					return
				}
			}
			if text != "***" {
				t.Errorf("%s is neither masked nor harmless: %q", path, text)
			}
		})
	}
	for name := range harmless {
		if !met[name] {
			t.Errorf("%s: there is no such text", name)
		}
	}
	for _, name := range eventTypes(t) {
		if !known[name] {
			t.Errorf("everyEvent lacks %s", name)
		}
	}
}

// eventTypes are the types with a method event, as event.go has them.
func eventTypes(t *testing.T) (names []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "event" {
			names = append(names, f.Recv.List[0].Type.(*ast.Ident).Name)
		}
	}
	if len(names) < 30 {
		t.Fatalf("only %d events", len(names))
	}
	return names
}

// theirs reports whether a type belongs to package migration: its texts are those of the files and of the history.
func theirs(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.PkgPath() == reflect.TypeFor[migration.Row]().PkgPath()
}

// fill puts the text into everything that can hold one.
func fill(v reflect.Value, text string) {
	switch {
	case theirs(v.Type()):
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	}
}

// texts gives every text with its path, "Warning.Text".
func texts(v reflect.Value, path string, do func(path, text string)) {
	switch {
	case theirs(v.Type()):
	case v.Kind() == reflect.String:
		do(path, v.String())
	case v.Kind() == reflect.Pointer:
		texts(v.Elem(), path, do)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			texts(v.Index(i), path, do)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			texts(v.Field(i), path+"."+v.Type().Field(i).Name, do)
		}
	}
}
