package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// approvals counts the people who agree to exactly this work. Each approval that does not count is named with the reason.
func (j *judge) approvals(work []Work) (Reason, bool) {
	need := j.env.Gates.Approvals
	if need == 0 {
		return Reason{}, false
	}
	var people, refused []string
	var firstEnd time.Time
	used := map[string]string{} // by key: who used it
	for _, a := range j.evidence.Approvals {
		if why := j.refusal(a, work); why != "" {
			refused = append(refused, fmt.Sprintf("%s: %s", someone(a.Person), why))
			continue
		}
		switch other, again := used[a.Key]; {
		case slices.Contains(people, a.Person):
			refused = append(refused, fmt.Sprintf("%s: has approved already, and counts once", a.Person))
			continue
		case again:
			refused = append(refused, fmt.Sprintf("%s: signed with the key of %s, and one key counts once", a.Person, other))
			continue
		}
		people = append(people, a.Person)
		used[a.Key] = a.Person
		if end := j.end(a); !end.IsZero() && (firstEnd.IsZero() || end.Before(firstEnd)) {
			firstEnd = end
		}
	}
	if len(people) >= need {
		return Reason{}, false
	}
	r := Reason{Gate: GateApprovals, Details: refused}
	r.Text = fmt.Sprintf("%d of %s: %s", len(people), count(need, "approval"), list(people))
	if len(people) == 0 {
		r.Text = "nobody has approved it, and one person must"
		if need > 1 {
			r.Text = fmt.Sprintf("nobody has approved it, and %d people must", need)
		}
	}
	if len(refused) > 0 {
		r.Text += fmt.Sprintf("; %s not count", doNot(len(refused)))
	}
	if !firstEnd.IsZero() && len(people) > 0 {
		r.Text += "; the first ends at " + moment(firstEnd, j.env.zone())
	}
	r.Next = fmt.Sprintf("let %s approve it: skein approve %s --release %s", j.candidates(people), j.env.Name, j.rel.Name)
	return r, true
}

func doNot(n int) string {
	if n == 1 {
		return "1 more does"
	}
	return fmt.Sprintf("%d more do", n)
}

// candidates names who could still approve.
func (j *judge) candidates(people []string) string {
	var out []string
	for _, p := range keys(j.p.People) {
		if !slices.Contains(people, p) && p != j.from.Author && len(j.p.People[p]) > 0 {
			out = append(out, p)
		}
	}
	switch len(out) {
	case 0:
		return "somebody who is not its author, and is listed in [skein.people],"
	case 1:
		return out[0]
	}
	return strings.Join(out[:len(out)-1], ", ") + " or " + out[len(out)-1]
}

// end is when an approval stops to count; zero: never.
func (j *judge) end(a Approval) time.Time {
	end := a.Expires
	if most := j.env.Gates.ApprovalExpiry; most > 0 {
		if by := a.Given.Add(most); end.IsZero() || by.Before(end) {
			end = by
		}
	}
	return end
}

// refusal says why an approval does not count, "" if it does.
func (j *judge) refusal(a Approval, work []Work) string {
	zone := j.env.zone()
	switch end := j.end(a); {
	case !a.SignatureOK:
		why := a.Unsound
		if why == "" {
			why = "it was changed after it was given"
		}
		return "the signature does not hold: " + why
	case a.Person == "" || a.Key == "":
		return "it names nobody"
	case len(j.p.People[a.Person]) == 0:
		return "is not among the people of [skein.people]"
	case !slices.Contains(j.p.People[a.Person], a.Key):
		return fmt.Sprintf("the key %s is not (or no longer) listed for %s", a.Key, a.Person)
	case a.Person == j.from.Author:
		return "is the author of the release"
	case slices.Contains(j.p.People[j.from.Author], a.Key) || a.Key == j.from.Key && a.Key != "":
		return fmt.Sprintf("signed with a key of %s, the author of the release", j.from.Author)
	case a.Environment != j.env.Name:
		return fmt.Sprintf("was given for %s", a.Environment)
	case a.Digest != j.rel.Digest:
		return fmt.Sprintf("was given for %s (%s), this is %s (%s)", a.Release, a.Digest, j.rel.Name, j.rel.Digest)
	case a.Given.After(j.now.Add(clockSlack)):
		return fmt.Sprintf("was given at %s, which is yet to come", moment(a.Given, zone))
	case !end.IsZero() && !j.now.Before(end):
		return fmt.Sprintf("ended at %s", moment(end, zone))
	}
	for _, w := range work {
		if why := covers(a, w); why != "" {
			return why
		}
	}
	return ""
}

// covers says why an approval was not given for this work, "" if it was.
func covers(a Approval, w Work) string {
	i := slices.IndexFunc(a.Targets, func(t ApprovedTarget) bool { return t.Name == w.Target })
	switch {
	case i < 0:
		return fmt.Sprintf("was not given for %s", w.Target)
	case a.Targets[i].Identity != w.Key || w.Key == "":
		return fmt.Sprintf("was given for another database than %s is now", w.Target)
	case a.Targets[i].History != w.History:
		return fmt.Sprintf("was given before something else was applied to %s", w.Target)
	case a.Targets[i].Fingerprint != w.Fingerprint || w.Fingerprint == "":
		return fmt.Sprintf("was given for another plan than the one that %s has now", w.Target)
	}
	return ""
}
