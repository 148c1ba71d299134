package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/deploy"
	"github.com/skein-db/skein/internal/pipeline"
)

// status prints the board: releases and environments, from the databases' own histories.
func (r *runner) status(ctx context.Context, project *deploy.Project) int {
	board, err := project.Status(ctx)
	r.console.show()
	if err != nil {
		return r.fail(err)
	}
	if r.console.json {
		r.document(boardDocument(board))
	} else {
		r.console.result(strings.TrimSuffix(boardText(board), "\n"), "")
	}
	for _, e := range board.Environments {
		for _, t := range e.Targets {
			if t.Unreachable != "" {
				return 7 // as every failure to reach a server
			}
		}
	}
	return 0
}

func boardText(board pipeline.Board) string {
	var b strings.Builder
	if len(board.Releases) > 0 {
		t := table{Header: []string{"Release", "Digest"}}
		for _, e := range board.Environments {
			t.Header = append(t.Header, e.Name)
		}
		for _, rel := range board.Releases {
			row := []string{rel.Name, shortDigest(rel.Digest)}
			for _, p := range rel.Places {
				row = append(row, placeText(p))
			}
			t.Rows = append(t.Rows, row)
		}
		b.WriteString(t.String())
	}
	t := table{Header: []string{"Environment", "Target", "Version", "Release", "Since", "By", "Remark"}}
	for _, e := range board.Environments {
		for _, x := range e.Targets {
			since := ""
			if !x.Last.IsZero() {
				since = x.Last.Format("2006-01-02 15:04")
				if x.LastZoned {
					since = x.Last.Local().Format("2006-01-02 15:04 MST")
				}
			}
			t.Rows = append(t.Rows, []string{e.Name, x.Name, x.Version, x.Release, since, x.Releaser, remark(x)})
		}
		if e.Skew {
			t.Rows = append(t.Rows, []string{e.Name, "", "", "", "", "", "its targets do not all have the same"})
		}
	}
	b.WriteString(t.String())
	if at := lacking(board); at != "" {
		fmt.Fprintf(&b, "next      %s is not in %s: skein status --why %s says why\n", board.Releases[0].Name, at, at)
	}
	return b.String()
}

// lacking is the first environment that does not have the newest release, "" when all have it or there is none.
func lacking(board pipeline.Board) string {
	if len(board.Releases) == 0 {
		return ""
	}
	for _, p := range board.Releases[0].Places {
		if p.Have < p.All {
			return p.Environment
		}
	}
	return ""
}

func remark(t pipeline.BoardTarget) string {
	var parts []string
	if t.Unreachable != "" {
		parts = append(parts, "does not answer: "+t.Unreachable)
	}
	if len(t.Changed) > 0 {
		parts = append(parts, "other bytes than any release: "+some(t.Changed, 2))
	}
	if len(t.Beyond) > 0 {
		parts = append(parts, "has besides: "+some(t.Beyond, 2))
	}
	return strings.Join(parts, "; ")
}

// placeText is a cell of the board.
func placeText(p pipeline.Place) string {
	var text string
	switch {
	case p.All == 0:
		return "no targets"
	case p.Have == p.All && p.Beyond > 0:
		text = "passed"
	case p.Have == p.All:
		text = "here"
		if !p.Since.IsZero() {
			text += " since " + p.Since.Local().Format("01-02 15:04")
		}
	case p.Have == 0 && p.Part == 0:
		text = "-"
	default:
		text = fmt.Sprintf("%d of %d", p.Have, p.All)
	}
	if p.Unknown > 0 {
		text += fmt.Sprintf(" (%d unknown)", p.Unknown)
	}
	return text
}

func boardDocument(board pipeline.Board) object {
	releases, environments := list{}, list{}
	for _, rel := range board.Releases {
		places := list{}
		for _, p := range rel.Places {
			o := object{"environment": p.Environment, "targets": p.All, "have": p.Have, "beyond": p.Beyond, "part": p.Part, "unknown": p.Unknown}
			if !p.Since.IsZero() {
				o["since"] = p.Since.Format(time.RFC3339)
			}
			places = append(places, o)
		}
		releases = append(releases, object{"name": rel.Name, "digest": rel.Digest, "places": places})
	}
	for _, e := range board.Environments {
		targets := list{}
		for _, t := range e.Targets {
			o := object{"name": t.Name, "version": t.Version, "release": t.Release, "releaser": t.Releaser, "beyond": stringList(t.Beyond), "changed": stringList(t.Changed), "unreachable": t.Unreachable}
			if !t.Last.IsZero() && t.LastZoned {
				o["last"] = t.Last.Format(time.RFC3339)
			}
			targets = append(targets, o)
		}
		environments = append(environments, object{"name": e.Name, "skew": e.Skew, "targets": targets})
	}
	return object{"operation": "status", "releases": releases, "environments": environments}
}

// why prints the chain of reasons why something is not applied to a target.
func (r *runner) why(ctx context.Context, project *deploy.Project) int {
	environment, target, _ := strings.Cut(r.settings.Text("deploy.why"), "/")
	rel, links, err := project.Why(ctx, environment, target, r.settings.Text("deploy.release"))
	r.console.show()
	if err != nil {
		return r.fail(err)
	}
	if r.console.json {
		chain := list{}
		for _, l := range links {
			chain = append(chain, object{
				"environment": l.Environment, "target": l.Target, "has": l.Has, "missing": stringList(l.Missing), "text": l.Text, "reasons": reasonList(l.Reasons), "next": l.Next,
			})
		}
		r.document(object{"operation": "status", "why": r.settings.Text("deploy.why"), "release": rel.Name, "chain": chain})
		return 0
	}
	var b strings.Builder
	for _, l := range links {
		fmt.Fprintf(&b, "%-9s %s\n", l.Environment, l.Text)
		if len(l.Missing) > 0 {
			fmt.Fprintf(&b, "          missing: %s\n", some(l.Missing, 8))
		}
		b.WriteString(reasonsText(l.Reasons))
		if l.Next != "" && (len(l.Reasons) == 0 || l.Reasons[0].Next != l.Next) {
			fmt.Fprintf(&b, "          next: %s\n", l.Next)
		}
	}
	r.console.result(strings.TrimSuffix(b.String(), "\n"), "")
	return 0
}
