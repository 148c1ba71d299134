package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
)

// pin shows which database this is, asks, and writes that down: in the database, and in skein.toml where there is one.
func (r *runner) pin(ctx context.Context) outcome {
	fail := func(err error) outcome { return outcome{err: err, document: r.failures.failureDocument(err)} }
	replace := r.line.Has("replace")
	seen, err := skein.Pin(ctx, r.engine, skein.PinOptions{Look: true})
	if err != nil && (!replace || !refused(err)) {
		return fail(err)
	}
	if !r.console.json {
		r.console.result(pinText(seen, err), "")
	}
	if err := r.agreed(seen.Identity.Environment); err != nil {
		return fail(err)
	}
	report := r.engine.Report
	r.engine.Report = func(e skein.Event) { // the target was named already
		if _, again := e.(skein.Connected); !again {
			report(e)
		}
	}
	done, err := skein.Pin(ctx, r.engine, skein.PinOptions{Replace: replace})
	r.engine.Report = report
	if err != nil {
		return fail(err)
	}
	file, lines, err := r.writeIdentity(done.Identity)
	if err != nil {
		return fail(err)
	}
	if !r.console.json {
		r.console.result(pinnedText(done, file, lines), "")
	}
	return outcome{document: pinDocument(done, file)}
}

func refused(err error) bool {
	e, ok := errors.AsType[*skein.Error](err)
	return ok && e.Kind == skein.KindRefused
}

func pinText(p *skein.PinResult, misplaced error) string {
	lines := []string{"environment  " + p.Identity.Environment, "database     " + p.Identity.Database, "host         " + p.Identity.Host}
	for _, f := range identityFields(p.Identity)[:2] {
		if f.Value != "" {
			lines = append(lines, fmt.Sprintf("%-12s %s", f.Name, f.Value))
		}
	}
	before := "not pinned"
	if b := p.Before; b != nil {
		before = fmt.Sprintf("pinned as environment %s (%s) by %s on %s", b.Environment, b.String(), b.By, b.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	lines = append(lines, "until now    "+before)
	if e, ok := errors.AsType[*skein.Error](misplaced); ok {
		lines = append(lines, "replacing    "+e.Message)
	}
	return strings.Join(lines, "\n")
}

// agreed asks, unless --yes was given. Without a terminal there is nobody to ask.
func (r *runner) agreed(environment string) error {
	if r.line.Has("yes") {
		return nil
	}
	if !r.process.StderrIsTerm || r.process.Stdin == nil || r.console.json {
		return &usageError{Message: "pin asks on a terminal, and this is none; nothing was pinned", Hint: "look at what it says, then add --yes"}
	}
	_, _ = fmt.Fprintf(r.process.Stderr, "Pin this database as environment %s? [y/N] ", environment) // no terminal, no answer
	answer, _ := bufio.NewReader(r.process.Stdin).ReadString('\n')                                   // the end of the input is a no
	if slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return nil
	}
	return &skein.Error{Kind: skein.KindRefused, Code: "ERROR", Message: "nothing was pinned"}
}

func identityFields(id skein.Identity) []config.IdentityField {
	return []config.IdentityField{{Name: "system", Value: id.System}, {Name: "cluster", Value: id.Cluster}, {Name: "database", Value: id.Database}, {Name: "host", Value: id.Host}}
}

// writeIdentity writes the pin into the skein.toml that was read last. Where there is none, or the identity stands there in
// a form that cannot be written over, it gives the lines for a person to put in.
func (r *runner) writeIdentity(id skein.Identity) (file string, lines []string, err error) {
	fields := identityFields(id)
	lines = []string{"[skein.environments." + id.Environment + ".identity]"}
	for _, f := range fields {
		if f.Value != "" {
			lines = append(lines, fmt.Sprintf("%s = %q", f.Name, f.Value))
		}
	}
	for _, name := range slices.Backward(r.settings.Files()) {
		if filepath.Ext(name) == ".toml" && filepath.Base(name) != "flyway.toml" {
			file = r.absolute(name)
			break
		}
	}
	if file == "" {
		return "", lines, nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // it is the settings file that was read before
	if errors.Is(err, fs.ErrNotExist) {
		return "", lines, nil
	}
	if err != nil {
		return "", nil, err
	}
	made, err := config.SetIdentity(string(text), id.Environment, fields)
	if err != nil {
		r.console.warn(file + ": " + err.Error())
		return "", lines, nil //nolint:nilerr // the pin is in the database; the lines are shown for whoever writes them by hand
	}
	if made == string(text) {
		return file, nil, nil
	}
	return file, nil, overwrite(file, made)
}

// overwrite puts another text into a file, whole or not at all, with the permissions that it has.
func overwrite(file, text string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if file, err = filepath.EvalSymlinks(file); err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(file), ".skein-*")
	if err != nil {
		return err
	}
	_, err = next.WriteString(text)
	err = cmp.Or(err, next.Chmod(info.Mode().Perm()), next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), file)
	}
	if err != nil {
		_ = os.Remove(next.Name()) // the first error is the one to tell
	}
	return err
}

func pinnedText(p *skein.PinResult, file string, lines []string) string {
	text := "pinned: " + p.Identity.Database + " is environment " + p.Identity.Environment
	if !p.Written {
		text = "the pin was there already and stays"
	}
	if file != "" {
		return text + "\nwritten: " + file
	}
	return text + "\nthere is no skein.toml to write it to; where there is one, put in:\n\n" + strings.Join(lines, "\n")
}

func pinDocument(p *skein.PinResult, file string) object {
	before := any(nil)
	if b := p.Before; b != nil {
		before = object{"environment": b.Environment, "identity": identityObject(b.Identity), "pinnedBy": b.By, "pinnedAt": b.At.UTC().Format("2006-01-02T15:04:05.000000Z")}
	}
	return object{
		"operation": "pin", "environment": p.Identity.Environment, "database": p.Database, "identity": identityObject(p.Identity),
		"before": before, "written": p.Written, "file": textOrNull(file),
	}
}

func identityObject(id skein.Identity) object {
	return object{"environment": textOrNull(id.Environment), "system": textOrNull(id.System), "cluster": textOrNull(id.Cluster), "database": id.Database, "host": id.Host}
}
