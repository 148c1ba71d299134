package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/source"
)

// release runs one of the verbs of releases.
func (r *runner) release(ctx context.Context) int {
	verb := r.line.Verbs[0]
	d := r.shelf()
	names := strings.Fields(r.settings.Text("release.name"))
	var most int
	least := 1
	switch verb {
	case "release list":
		least = 0
	case "release diff":
		most = 2
	default:
		most = 1
	}
	if len(names) < least || len(names) > most {
		usage := map[string]string{"release list": "", "release diff": " A B, or " + verb + " A"}
		words, ok := usage[verb]
		if !ok {
			words = " NAME"
		}
		return r.fail(&usageError{Message: fmt.Sprintf("%s with %d names", verb, len(names)), Hint: "write " + r.programName() + " " + verb + words})
	}
	do := map[string]func(context.Context, *shelf, []string) (object, string, error){
		"release create": r.createRelease, "release push": r.pushRelease, "release list": r.listReleases, "release diff": r.diffReleases, "release verify": r.verifyRelease,
	}[verb]
	o, text, err := do(ctx, d, names)
	switch {
	case err != nil:
		return r.fail(releaseError(err))
	case r.console.json:
		o["operation"] = verb
		r.document(o)
	default:
		r.console.result(text, "")
	}
	return 0
}

// releaseError gives failures of stores the kind that they have; mistakes of settings stay what they are.
func releaseError(err error) error {
	if _, ok := errors.AsType[config.Mistakes](err); ok {
		return err
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return err
	}
	return skein.SourceError(err)
}

// here reads the scripts of locations.
func (r *runner) here(ctx context.Context, d *shelf) (source.Release, []release.Script, error) {
	_, scripts, err := wire.Scripts(d.settings, d.world, true)
	if err != nil {
		return source.Release{}, nil, err
	}
	files, err := scripts.Load(ctx)
	if err != nil {
		return source.Release{}, nil, err
	}
	for _, w := range files.Warnings {
		r.console.warn(w)
	}
	list, err := source.Describe(files)
	return files, list, err
}

func (r *runner) createRelease(ctx context.Context, d *shelf, names []string) (object, string, error) {
	if err := release.CheckName(names[0]); err != nil {
		return nil, "", &usageError{Message: err.Error()}
	}
	files, list, err := r.here(ctx, d)
	if err != nil {
		return nil, "", err
	}
	m, err := release.Build(names[0], wire.Releaser(r.settings, d.world), strings.Join(files.Origins, ", "), time.Now(), list)
	if err != nil {
		return nil, "", &usageError{Message: err.Error(), Hint: "locations is " + strings.Join(r.settings.List("locations"), ", ")}
	}
	if key := r.settings.Text("skein.signKey"); key != "" {
		if m, err = m.Sign(r.signer(ctx, r.absolute(key))); err != nil {
			return nil, "", config.Mistakes{{Origin: r.settings.Origin("skein.signKey"), Key: "signKey", Text: err.Error()}}
		}
		if err := d.checkRelease(m); err != nil {
			return nil, "", err
		}
	}
	file := r.manifestFile(m.Name)
	if err := os.WriteFile(file, m.Encode(), 0o644); err != nil {
		return nil, "", &usageError{Message: err.Error()}
	}
	o := releaseDocument(d, m)
	o["path"] = file
	return o, releaseLine(d, m) + "\ncreated: " + file + "\nnext: " + r.programName() + " release push " + m.Name, nil
}

func (r *runner) manifestFile(name string) string {
	return r.absolute(cmp.Or(r.settings.Text("release.file"), name+".release.json"))
}

// shelf is what the settings say of releases. No database is changed by what is done with it.
type shelf struct {
	settings *config.Settings
	world    wire.World
}

func (r *runner) shelf() *shelf {
	w := r.process.world()
	w.Looks = true
	return &shelf{settings: r.settings, world: w}
}

func (d *shelf) releases() (*source.Store, error) { return wire.Releases(d.settings, d.world) }

func (d *shelf) people() release.People { return release.People(d.settings.Lists("skein.people")) }

func (d *shelf) checkRelease(m release.Manifest) error { return wire.CheckRelease(d.settings, m) }

func (r *runner) pushRelease(ctx context.Context, d *shelf, names []string) (object, string, error) {
	store, err := d.releases()
	if err != nil {
		return nil, "", err
	}
	file := r.manifestFile(names[0])
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", &usageError{Message: "there is no manifest " + file, Hint: "make it first: " + r.programName() + " release create " + names[0]}
	}
	if err != nil {
		return nil, "", &usageError{Message: err.Error()}
	}
	m, err := release.Decode(text)
	if err == nil && m.Name != names[0] {
		err = fmt.Errorf("it is the manifest of release %s", m.Name)
	}
	if err != nil {
		return nil, "", &source.Error{Reason: source.Refused, Message: file + ": " + err.Error(), Hint: "make it again: " + r.programName() + " release create " + names[0], Err: err}
	}
	if err := d.checkRelease(m); err != nil {
		return nil, "", err
	}
	files, _, err := r.here(ctx, d)
	if err != nil {
		return nil, "", err
	}
	pushed, already, err := store.Push(ctx, m, files)
	if err != nil {
		return nil, "", err
	}
	o := releaseDocument(d, pushed)
	o["releases"], o["already"] = store.String(), already
	word := "pushed to "
	if already {
		word = "it is there already: "
	}
	said := releaseLine(d, pushed) + "\n" + word + store.String()
	if environments := r.settings.List("skein.pipeline"); len(environments) > 0 {
		said += "\nnext: " + r.programName() + " deploy " + environments[0]
	}
	return o, said, nil
}

func (r *runner) listReleases(ctx context.Context, d *shelf, _ []string) (object, string, error) {
	store, err := d.releases()
	if err != nil {
		return nil, "", err
	}
	found, err := store.List(ctx)
	if err != nil {
		return nil, "", err
	}
	t := table{Header: []string{"Release", "Created", "Author", "Files", "Signed", "Digest"}}
	all := list{}
	for _, l := range found {
		if l.Problem != "" {
			t.Rows = append(t.Rows, []string{l.Name, "", "", "", "", l.Problem})
			all = append(all, object{"name": l.Name, "problem": l.Problem})
			continue
		}
		m := l.Manifest
		t.Rows = append(t.Rows, []string{m.Name, m.Created.Format("2006-01-02 15:04"), m.Author, fmt.Sprint(len(m.Scripts)), signedText(d, m), m.Digest[:len("sha256:")+12]})
		all = append(all, releaseDocument(d, m))
	}
	text := "there are no releases in " + store.String()
	if len(t.Rows) > 0 {
		text = strings.TrimSuffix(t.String(), "\n")
	}
	return object{"releases": store.String(), "found": all}, text, nil
}

func (r *runner) diffReleases(ctx context.Context, d *shelf, names []string) (object, string, error) {
	store, err := d.releases()
	if err != nil {
		return nil, "", err
	}
	from, err := store.Get(ctx, names[0])
	if err != nil {
		return nil, "", err
	}
	var to []release.Script
	what := "locations"
	if len(names) == 2 {
		m, err := store.Get(ctx, names[1])
		if err != nil {
			return nil, "", err
		}
		to, what = m.Scripts, m.Name
	} else if _, to, err = r.here(ctx, d); err != nil {
		return nil, "", err
	}
	diff := release.Diff(from.Scripts, to)
	var b strings.Builder
	o := object{"from": from.Name, "to": what, "same": diff.Same(), "reordered": diff.Reordered}
	part := func(field, mark string, scripts []release.Script) {
		paths := list{}
		for _, s := range scripts {
			fmt.Fprintf(&b, "%s %s\n", mark, s.Path)
			paths = append(paths, s.Path)
		}
		o[field] = paths
	}
	part("removed", "-", diff.Removed)
	part("added", "+", diff.Added)
	var changed []release.Script
	for _, c := range diff.Changed {
		changed = append(changed, c.To)
	}
	part("changed", "~", changed)
	switch {
	case diff.Same():
		b.WriteString(from.Name + " and " + what + " have the same scripts")
	case diff.Reordered:
		b.WriteString("the files that both have stand in another order")
	}
	return o, strings.TrimSuffix(b.String(), "\n"), nil
}

func (r *runner) verifyRelease(ctx context.Context, d *shelf, names []string) (object, string, error) {
	store, err := d.releases()
	if err != nil {
		return nil, "", err
	}
	m, err := store.Get(ctx, names[0])
	if err == nil {
		err = d.checkRelease(m)
	}
	if err == nil {
		_, err = store.Load(ctx, m)
	}
	if err != nil {
		return nil, "", err
	}
	o := releaseDocument(d, m)
	o["releases"] = store.String()
	return o, releaseLine(d, m) + "\nall files in " + store.String() + " are what the manifest says", nil
}

// releaseLine is a release in one line.
func releaseLine(d *shelf, m release.Manifest) string {
	return fmt.Sprintf("release %s: %d files, %s, by %s, signed: %s", m.Name, len(m.Scripts), m.Digest, m.Author, signedText(d, m))
}

// signedText is who has signed, as far as that can be told.
func signedText(d *shelf, m release.Manifest) string {
	key, err := m.Signer()
	switch {
	case errors.Is(err, release.ErrUnsigned):
		return "no"
	case err != nil:
		return "WRONG"
	}
	return cmp.Or(d.people().Owner(key), "by "+key.Fingerprint())
}

func releaseDocument(d *shelf, m release.Manifest) object {
	files := list{}
	for _, s := range m.Scripts {
		files = append(files, object{"path": s.Path, "location": s.Location, "size": s.Size, "sha256": s.SHA256, "object": s.Object, "objectVersion": s.ObjectVersion})
	}
	return object{"name": m.Name, "created": m.Created.Format(time.RFC3339), "author": m.Author, "source": m.Source, "digest": m.Digest,
		"signed": signedText(d, m), "files": files}
}
