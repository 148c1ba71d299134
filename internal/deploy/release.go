package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// loaded is a release with its scripts at hand.
type loaded struct {
	pipeline.Release
	scripts *skein.Prepared
	bare    bool // files without a manifest
}

// manifests are the releases of the store, the newest last.
func (p *Project) manifests(ctx context.Context) ([]release.Manifest, error) {
	if p.store == nil {
		return nil, nil
	}
	listed, err := p.store.List(ctx)
	if err != nil {
		return nil, err
	}
	var out []release.Manifest
	for _, l := range listed {
		if l.Problem == "" {
			out = append(out, l.Manifest)
		}
	}
	return out, nil
}

// describe is a manifest as the pipeline sees it, with scripts of which nothing is known but their bytes.
func (p *Project) describe(m release.Manifest) pipeline.Release {
	out := pipeline.Release{Name: m.Name, Digest: m.Digest, Created: m.Created, Author: m.Author}
	if m.Signature != nil {
		if key, err := release.ParsePublicKey(m.Signature.Key); err == nil {
			out.Key = key.Fingerprint()
		}
		if err := m.CheckSignature(p.people); err != nil {
			out.Unsound = reason(err)
		}
	}
	return out
}

func reason(err error) string {
	if e, ok := errors.AsType[*release.SignatureError](err); ok {
		return e.Reason
	}
	return err.Error()
}

// load fetches the files of a release, each compared with the manifest, and reads them as the settings of st say.
func (p *Project) load(ctx context.Context, st station, m release.Manifest) (loaded, error) {
	out := loaded{Release: p.describe(m)}
	cfg := st.engine
	cfg.Source, cfg.CallbackSource = source.FromStore(p.store, m.Name, func(found release.Manifest) error {
		if found.Digest != m.Digest {
			return fmt.Errorf("release %s has become another one while it was read", m.Name)
		}
		return nil
	}), nil
	return out, p.prepare(ctx, cfg, &out)
}

// loadBare takes the files of locations as they are.
func (p *Project) loadBare(ctx context.Context, st station) (loaded, error) {
	out := loaded{bare: true}
	switch {
	case st.settings.Bool("skein.production"):
		return out, refusedBare(st.name, "production gets releases only", "make one: skein release create NAME, skein release push NAME; then: skein deploy "+st.name+" --release NAME")
	case !st.settings.Bool("skein.allowBarePrefix"):
		return out, refusedBare(st.name, "no place for releases is set, and files without a manifest are deployed only where allowBarePrefix says so",
			"set releases to a folder or s3://bucket/prefix and make a release: skein release create NAME, skein release push NAME; or set allowBarePrefix=true for "+st.name)
	}
	if err := p.prepare(ctx, st.engine, &out); err != nil {
		return out, err
	}
	scripts, err := source.Describe(source.Release{Files: out.scripts.Files()})
	if err != nil {
		return out, err
	}
	out.Digest = release.DigestOf(scripts)
	out.Name, out.Created = "files-"+out.Digest[len("sha256:"):][:8], p.opt.Now()
	return out, nil
}

func refusedBare(environment, message, hint string) error {
	return &skein.Error{Kind: skein.KindRefused, Code: "ERROR", Message: environment + ": " + message, Kept: "nothing was changed", Hint: hint}
}

// prepare loads the files and tells the pipeline which scripts they are.
func (p *Project) prepare(ctx context.Context, cfg skein.Config, out *loaded) error {
	var err error
	if out.scripts, err = skein.Prepare(ctx, cfg); err != nil {
		return err
	}
	placeholders := cfg.Placeholders
	placeholders.Off = true // they differ from target to target: each target's own are in its facts
	resolved, err := migration.Resolve(out.scripts.Files(), nil, migration.ResolveOptions{
		Naming: cfg.Naming, Placeholders: placeholders, Encoding: cfg.Encoding, DetectEncoding: cfg.DetectEncoding, ValidateNaming: cfg.ValidateNaming,
	})
	if err != nil {
		return &skein.Error{Kind: skein.KindScript, Code: "ERROR", Message: err.Error(), Err: err, Hint: "mend the file and make a new release"}
	}
	for i := range resolved.Scripts {
		out.Scripts = append(out.Scripts, fleet.ScriptOf(&resolved.Scripts[i]))
	}
	return nil
}

// named is the release of that name.
func (p *Project) named(ctx context.Context, name string) (release.Manifest, error) {
	if p.store == nil {
		return release.Manifest{}, &skein.Error{Kind: skein.KindConfig, Code: "CONFIGURATION",
			Message: "release " + name + " cannot be looked up: no place for releases is set", Hint: "set releases to a folder or s3://bucket/prefix"}
	}
	return p.store.Get(ctx, name)
}

// approvals are those that were given for a release, each with what checking its signature found.
func (p *Project) approvals(ctx context.Context, name string, now time.Time) ([]pipeline.Approval, error) {
	if p.store == nil {
		return nil, nil
	}
	given, err := p.store.Approvals(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []pipeline.Approval
	for _, a := range given {
		out = append(out, checked(a, now))
	}
	return out, nil
}

// checked is an approval as the pipeline sees it. Whether it has ended, and whether the key is its person's, the pipeline
// says by itself, in its own words.
func checked(a release.Approval, now time.Time) pipeline.Approval {
	out := pipeline.Approval{
		Person: a.Person, Environment: a.Environment, Release: a.Release, Digest: a.Digest, Given: a.Given, Expires: a.Expires, SignatureOK: true,
	}
	var people release.People
	if a.Signature != nil {
		if key, err := release.ParsePublicKey(a.Signature.Key); err == nil {
			out.Key = key.Fingerprint()
			people = release.People{a.Person: {key.String()}}
		}
	}
	if now.After(a.Expires) || now.Before(a.Given) {
		now = a.Given
	}
	if err := a.Check(people, now); err != nil {
		out.SignatureOK, out.Unsound = false, reason(err)
	}
	for _, t := range a.Targets {
		out.Targets = append(out.Targets, pipeline.ApprovedTarget{Name: t.Name, Identity: t.Identity, Fingerprint: t.Fingerprint, History: t.HistoryHash})
	}
	return out
}
