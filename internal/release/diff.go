package release

import (
	"fmt"
	"slices"
	"strings"
)

// Difference is what tells two releases apart. Its zero value is none.
type Difference struct {
	Added   []Script // in the second only
	Removed []Script // in the first only
	Changed []Change
	// Reordered: the scripts that both have stand in another order, which decides in which order callbacks run.
	Reordered bool
}

// Change is a script whose bytes differ.
type Change struct{ From, To Script }

// Same reports whether there is no difference.
func (d Difference) Same() bool {
	return len(d.Added) == 0 && len(d.Removed) == 0 && len(d.Changed) == 0 && !d.Reordered
}

// Diff compares two lists of scripts by path and content. Where a path occurs several times, in several locations, the
// first is compared with the first, and so on.
func Diff(from, to []Script) Difference {
	var d Difference
	before := occurrences(from)
	after := occurrences(to)
	var order []int // of the common scripts, their places in from
	for i, s := range to {
		at, both := before[after.key(i, to)]
		switch {
		case !both:
			d.Added = append(d.Added, s)
			continue
		case from[at].SHA256 != s.SHA256:
			d.Changed = append(d.Changed, Change{from[at], s})
		}
		order = append(order, at)
	}
	for i, s := range from {
		if _, both := after[before.key(i, from)]; !both {
			d.Removed = append(d.Removed, s)
		}
	}
	d.Reordered = !slices.IsSorted(order)
	return d
}

// occurrence is the n-th script of a path.
type occurrence struct {
	path string
	n    int
}

type index map[occurrence]int

func occurrences(scripts []Script) index {
	found, seen := make(index, len(scripts)), map[string]int{}
	for i, s := range scripts {
		found[occurrence{s.Path, seen[s.Path]}] = i
		seen[s.Path]++
	}
	return found
}

// key gives the occurrence that stands at place i.
func (x index) key(i int, scripts []Script) occurrence {
	for n := 0; ; n++ {
		if o := (occurrence{scripts[i].Path, n}); x[o] == i {
			return o
		}
	}
}

// Verify compares what was found with what the manifest says. Its error is a *Mismatch, nil when every byte is the same.
func (m Manifest) Verify(found []Script) error {
	d := Diff(m.Scripts, found)
	if d.Same() && DigestOf(found) == m.Digest {
		return nil
	}
	return &Mismatch{Name: m.Name, Difference: d}
}

// Mismatch says that files are not those of a release.
type Mismatch struct {
	Name       string
	Difference Difference
}

// Error names the first few files of each kind.
func (e *Mismatch) Error() string {
	var parts []string
	say := func(what string, paths []string) {
		if n := len(paths); n > 3 {
			paths = append(paths[:3:3], fmt.Sprintf("and %d more", n-3))
		}
		if len(paths) > 0 {
			parts = append(parts, what+": "+strings.Join(paths, ", "))
		}
	}
	var changed []string
	for _, c := range e.Difference.Changed {
		changed = append(changed, c.To.Path)
	}
	say("changed", changed)
	say("missing", pathsOf(e.Difference.Removed))
	say("not part of it", pathsOf(e.Difference.Added))
	if e.Difference.Reordered || len(parts) == 0 {
		parts = append(parts, "in another order")
	}
	return fmt.Sprintf("these are not the scripts of release %s; %s", e.Name, strings.Join(parts, "; "))
}

func pathsOf(scripts []Script) []string {
	var paths []string
	for _, s := range scripts {
		paths = append(paths, s.Path)
	}
	return paths
}
