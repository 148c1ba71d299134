package deploy

import (
	"context"
	"errors"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/fleet"
	"github.com/skein-db/skein/internal/pipeline"
	"github.com/skein-db/skein/internal/release"
)

// Consent is what somebody approves.
type Consent struct {
	Environment string
	Release     string // by name
	BackTo      string // the way back to this release is approved, and Release is ""
	Person      string // "": the one who owns the key
	Expires     time.Duration
}

// Approvable is what an approval would be given for, as the databases are now: shown before anybody signs.
type Approvable struct {
	Release  pipeline.Release
	Approval release.Approval // unsigned
	Plans    []pipeline.TargetFacts
}

// Approvable surveys the targets of an environment. The approval that it gives is bound to each target's identity, plan
// and history, as they are now.
func (p *Project) Approvable(ctx context.Context, c Consent) (*Approvable, error) {
	a, err := p.approvable(ctx, c)
	return a, told(err)
}

func (p *Project) approvable(ctx context.Context, c Consent) (*Approvable, error) {
	i, err := p.find(c.Environment)
	if err != nil {
		return nil, err
	}
	st := p.stations[i]
	targets, err := st.listing.Targets(ctx)
	if err != nil {
		return nil, err
	}
	d := &fleet.Deployment{Environment: st.name, Pipeline: p.Pipeline, Targets: targets, Concurrency: st.settings.Int("skein.concurrency"), Report: p.opt.Report}
	order := Order{Environment: c.Environment, Release: c.Release, BackTo: c.BackTo}
	manifests, err := p.manifests(ctx)
	if err != nil {
		return nil, err
	}
	var l loaded
	if c.BackTo != "" {
		l, _, err = p.present(ctx, st, manifests, d)
	} else {
		m, wrong := p.named(ctx, c.Release)
		if err = wrong; err == nil {
			l, err = p.load(ctx, st, m)
		}
	}
	if err != nil {
		return nil, err
	}
	d.Release, d.Scripts = l.Release, l.scripts
	out := &Approvable{Release: l.Release}
	if c.BackTo != "" {
		if err := p.wayBack(ctx, st, order, d); err != nil {
			return nil, err
		}
		out.Release = *d.To
	}
	if c.Person == l.Author {
		return out, &skein.Error{Kind: skein.KindRefused, Code: "ERROR", Message: c.Person + " is the author of release " + l.Name + ", and nobody approves his own work",
			Kept: "nothing was signed", Hint: "let somebody else of [skein.people] approve it"}
	}
	out.Plans = d.Facts(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := p.opt.Now().UTC().Truncate(time.Second)
	out.Approval = release.Approval{
		Release: out.Release.Name, Digest: out.Release.Digest, Environment: st.name, Person: c.Person, Given: now, Expires: now.Add(c.Expires),
	}
	for _, t := range out.Plans {
		if t.Unreachable != "" {
			return out, &skein.Error{Kind: skein.KindConnection, Code: "ERROR", Message: t.Name + " could not be reached, so nothing can be said about its plan: " + t.Unreachable,
				Hint: "bring it up, then approve"}
		}
		if len(t.Pending) == 0 {
			continue
		}
		out.Approval.Targets = append(out.Approval.Targets, release.ApprovedTarget{
			Name: t.Name, Identity: t.Key, Fingerprint: t.Fingerprint, HistoryHash: t.History,
		})
	}
	return out, nil
}

// Approve signs and keeps an approval. One whose key is not listed for its person is not kept.
func (p *Project) Approve(ctx context.Context, a *Approvable, sign release.Signer) (release.Approval, error) {
	signed, err := a.Approval.Sign(sign)
	if err != nil {
		return release.Approval{}, err
	}
	if err := signed.Check(p.people, p.opt.Now()); err != nil {
		out := &skein.Error{Kind: skein.KindRefused, Code: "ERROR", Message: err.Error(), Kept: "nothing was kept", Err: err}
		if e, ok := errors.AsType[*release.SignatureError](err); ok {
			out.Hint = e.Hint
		}
		return release.Approval{}, out
	}
	return signed, told(p.store.PutApproval(ctx, signed))
}
