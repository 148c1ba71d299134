package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/skein-db/skein/internal/deploy"
	"github.com/skein-db/skein/internal/release"
)

// approve shows what would run where, asks, signs, and keeps the approval beside the release.
func (r *runner) approve(ctx context.Context, project *deploy.Project, environment string) int {
	s := r.settings
	consent := deploy.Consent{
		Environment: environment, Release: s.Text("deploy.release"), BackTo: s.Text("deploy.backTo"), Person: s.Text("deploy.person"), Expires: s.Duration("deploy.expires"),
	}
	if (consent.Release == "") == (consent.BackTo == "") {
		return r.fail(&usageError{Message: "approve which release?", Hint: "add --release NAME, or --back-to NAME for the way back"})
	}
	file := s.Text("skein.signKey")
	if file == "" {
		return r.fail(&usageError{Message: "an approval is signed: with which key?", Hint: "set signKey to the path of an ed25519 key, private, or public with its other half in an agent"})
	}
	if consent.Person == "" {
		consent.Person = ownerOf(file, s.Lists("skein.people"))
	}
	if consent.Person == "" {
		return r.fail(&usageError{Message: "the key that signs belongs to nobody of people", Hint: "list its public key in [skein.people], or name yourself: --person NAME"})
	}
	a, err := project.Approvable(ctx, consent)
	r.console.show()
	if err != nil {
		return r.fail(err)
	}
	if len(a.Approval.Targets) == 0 {
		return r.fail(&usageError{Message: fmt.Sprintf("there is nothing to approve: %s has %s already", environment, a.Release.Name)})
	}
	r.console.info("%s", strings.TrimSuffix(approvableText(a), "\n"))
	if !s.Bool("deploy.yes") && !r.saysYes(consent.Person+", do you approve this?") {
		return r.fail(&usageError{Message: "not approved", Hint: "answer yes, or add --yes"})
	}
	signed, err := project.Approve(ctx, a, r.signer(ctx, file))
	if err != nil {
		return r.fail(err)
	}
	if r.console.json {
		r.document(object{
			"operation": "approve", "environment": environment, "release": signed.Release, "digest": signed.Digest, "person": signed.Person,
			"targets": len(signed.Targets), "expires": signed.Expires.Format("2006-01-02T15:04:05Z07:00"),
		})
	} else {
		way := "--release "
		if consent.BackTo != "" {
			way = "--back-to "
		}
		r.console.result(fmt.Sprintf("approved  %s for %s by %s, until %s\nnext      skein deploy %s %s%s", signed.Release, environment, signed.Person,
			signed.Expires.Local().Format("2006-01-02 15:04 MST"), environment, way, signed.Release), "")
	}
	return 0
}

func approvableText(a *deploy.Approvable) string {
	var b strings.Builder
	fmt.Fprintf(&b, "release   %s  %s\n", a.Release.Name, shortDigest(a.Release.Digest))
	for _, t := range a.Plans {
		if len(t.Pending) == 0 {
			continue
		}
		var names []string
		for _, s := range t.Pending {
			names = append(names, s.Path)
		}
		fmt.Fprintf(&b, "target    %s: database %s on %s\n          %s: %s\n          plan %.16s, history %.16s\n",
			t.Name, t.Identity.Database, t.Identity.Host, plural(len(names), "script"), some(names, 12), t.Fingerprint, t.History)
	}
	return b.String()
}

// ownerOf is the person whose key a file holds, "" when that cannot be told.
func ownerOf(file string, people release.People) string {
	for _, name := range []string{file, file + ".pub"} {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if key, err := release.ParsePublicKey(string(text)); err == nil {
			return people.Owner(key)
		}
		if key, err := release.ParsePrivateKey(text); err == nil {
			return people.Owner(key.Public())
		}
	}
	return ""
}

// saysYes asks a person at the terminal.
func (r *runner) saysYes(question string) bool {
	if !r.process.StderrIsTerm || r.process.Stdin == nil || r.console.json {
		return false
	}
	r.console.info("%s (yes/no)", question)
	line, _ := bufio.NewReader(r.process.Stdin).ReadString('\n') // the end of the input is a no
	return strings.EqualFold(strings.TrimSpace(line), "yes")
}
