package pipeline

import (
	"slices"
	"strings"

	"github.com/skein-db/skein/migration"
)

// present is what a schema history says is there now: undone and deleted migrations are not, of a repeatable the last run counts.
type present struct {
	versions    []*Applied // sorted by version
	repeatables map[string]*Applied
	baseline    migration.Version
}

// fit says how a script of a release and a history go together.
type fit uint8

const (
	absent  fit = iota
	same        // applied, with these bytes
	changed     // applied, with other bytes
	failed      // its last run failed
	unknown     // applied, and nothing was recorded that could be compared
	covered     // not applied: a baseline stands for it
)

func presentIn(rows []Applied) present {
	p := present{repeatables: map[string]*Applied{}}
	for i := range rows {
		row := &rows[i]
		switch {
		case row.Type == migration.TypeDelete && row.Version.IsZero():
			delete(p.repeatables, row.Description)
		case row.Type == migration.TypeDelete, row.Type.IsUndo():
			if at, ok := p.place(row.Version); ok && row.Success {
				p.versions = slices.Delete(p.versions, at, at+1)
			}
		case row.Type.IsBaseline():
			if row.Success && row.Version.Compare(p.baseline) > 0 {
				p.baseline = row.Version
			}
		case row.Type.Synthetic():
		case row.Version.IsZero():
			p.repeatables[row.Description] = row
		default:
			at, ok := p.place(row.Version)
			if ok {
				p.versions[at] = row
			} else {
				p.versions = slices.Insert(p.versions, at, row)
			}
		}
	}
	return p
}

func (p present) place(v migration.Version) (int, bool) {
	return slices.BinarySearchFunc(p.versions, v, func(row *Applied, v migration.Version) int { return row.Version.Compare(v) })
}

// rows gives everything that is there.
func (p present) rows() []*Applied {
	out := slices.Clone(p.versions)
	for _, name := range keys(p.repeatables) {
		out = append(out, p.repeatables[name])
	}
	return out
}

// of finds a script's row. Undo scripts leave no trace of their own, a baseline migration counts by its version.
func (p present) of(s Script) (*Applied, fit) {
	var row *Applied
	switch s.Kind {
	case migration.Repeatable:
		row = p.repeatables[s.Description]
	case migration.Versioned:
		if at, ok := p.place(s.Version); ok {
			row = p.versions[at]
		}
	case migration.Baseline, migration.Undo:
	}
	if row == nil {
		if s.Kind != migration.Repeatable && s.Version.Compare(p.baseline) <= 0 && !p.baseline.IsZero() {
			return nil, covered
		}
		return nil, absent
	}
	recorded := row.SHA256 != "" && s.SHA256 != ""
	sum := equal(row.Checksum, s.Checksum) || row.Checksum != nil && equal(row.Checksum, s.RawChecksum)
	switch {
	case !row.Success:
		return row, failed
	case recorded && !strings.EqualFold(row.SHA256, s.SHA256):
		return row, changed
	case recorded && s.Kind == migration.Repeatable: // its checksum shows the values of placeholders as well
		return row, same
	case !sum:
		return row, changed
	case row.Checksum == nil && !recorded:
		return row, unknown
	}
	return row, same
}

func equal(a, b *int32) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// scripts gives the release's scripts as they read for the target.
func (t *TargetFacts) scripts(rel Release) []Script {
	if t.Scripts != nil {
		return t.Scripts
	}
	return rel.Scripts
}

// reads gives the scripts of any release as they read for the target, as far as the survey has read the same bytes.
func (t *TargetFacts) reads(rel Release) []Script {
	byPath := map[string]Script{}
	for _, s := range t.Scripts {
		byPath[s.Path] = s
	}
	out := slices.Clone(rel.Scripts)
	for i, s := range out {
		if own, ok := byPath[s.Path]; ok && own.SHA256 != "" && own.SHA256 == s.SHA256 {
			out[i] = own
		}
	}
	return out
}

// runs reports whether a script leaves a row in the history when it runs with migrate.
func (s Script) runs() bool { return s.Kind == migration.Versioned || s.Kind == migration.Repeatable }

// label names a script in messages: its version where it has one.
func (s Script) label() string {
	if s.Version.IsZero() {
		return s.Path
	}
	return "V" + s.Version.String()
}

func (a *Applied) label() string {
	if a.Version.IsZero() {
		return a.Script
	}
	return "V" + a.Version.String()
}

// highest gives the highest version of a release.
func highest(scripts []Script) migration.Version {
	var v migration.Version
	for _, s := range scripts {
		if s.Kind != migration.Undo && s.Version.Compare(v) > 0 {
			v = s.Version
		}
	}
	return v
}

// shelf finds scripts of a release by the rows that they left.
type shelf struct {
	versions    []Script // sorted by version
	repeatables map[string]Script
	stands      migration.Version // the highest baseline migration, which stands for all versions up to its own
}

func shelve(scripts []Script) shelf {
	b := shelf{repeatables: map[string]Script{}}
	for _, s := range scripts {
		switch s.Kind {
		case migration.Versioned:
			b.versions = append(b.versions, s)
		case migration.Repeatable:
			b.repeatables[s.Description] = s
		case migration.Baseline:
			if s.Version.Compare(b.stands) > 0 {
				b.stands = s.Version
			}
		case migration.Undo:
		}
	}
	slices.SortFunc(b.versions, func(a, b Script) int { return a.Version.Compare(b.Version) })
	return b
}

func (b shelf) script(row *Applied) (Script, bool) {
	if row.Version.IsZero() {
		s, ok := b.repeatables[row.Description]
		return s, ok
	}
	at, ok := slices.BinarySearchFunc(b.versions, row.Version, func(s Script, v migration.Version) int { return s.Version.Compare(v) })
	if !ok {
		return Script{}, false
	}
	return b.versions[at], true
}

// keys gives a map's keys, sorted.
func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
