package migration

import (
	"fmt"
	"slices"
	"strings"
)

// Order sorts scripts as they run, merges identical copies and refuses two scripts for one place. Resolve has done it
// for files; call it again after adding migrations that are Go functions. The argument is not changed.
//
// Copies are identical when version, description, path, type and checksum are equal.
func Order(scripts []Script) ([]Script, error) {
	sorted := make([]*Script, len(scripts)) // a script is large to be moved about
	for i := range scripts {
		sorted[i] = &scripts[i]
	}
	slices.SortStableFunc(sorted, func(a, b *Script) int {
		if c := comparePlace(a, b); c != 0 {
			return c
		}
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Physical, b.Physical)
	})
	out := make([]Script, 0, len(sorted))
	for i := 0; i < len(sorted); {
		end := i + 1
		distinct := sorted[i : i+1 : i+1]
		for ; end < len(sorted) && comparePlace(sorted[i], sorted[end]) == 0; end++ {
			if !slices.ContainsFunc(distinct, func(s *Script) bool { return identical(s, sorted[end]) }) {
				distinct = append(distinct, sorted[end])
			}
		}
		if len(distinct) > 1 {
			return nil, duplicate(distinct)
		}
		out = append(out, *distinct[0])
		i = end
	}
	return out, nil
}

// comparePlace orders by version (versioned, then undo, then baseline), then repeatables by description; 0 means that
// both claim one place.
func comparePlace(a, b *Script) int {
	if a.Kind == Repeatable || b.Kind == Repeatable {
		switch {
		case a.Kind != Repeatable:
			return -1
		case b.Kind != Repeatable:
			return 1
		}
		return compareUTF16(a.Description, b.Description)
	}
	if c := a.Version.Compare(b.Version); c != 0 {
		return c
	}
	return int(a.Kind) - int(b.Kind)
}

func identical(a, b *Script) bool {
	return a.Description == b.Description && a.Path == b.Path && a.Type == b.Type &&
		a.RawChecksum == b.RawChecksum && equalSums(a.Checksum, b.Checksum)
}

func equalSums(a, b *int32) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func duplicate(same []*Script) error {
	first := same[0]
	e := &Error{Code: CodeDuplicateVersioned, Hint: "give one of them another version"}
	switch first.Kind {
	case Repeatable:
		e.Code, e.Hint = CodeDuplicateRepeatable, "give one of them another description"
		e.Message = fmt.Sprintf("Found more than one repeatable migration with description %s", first.Description)
	case Undo:
		e.Code = CodeDuplicateUndo
		e.Message = fmt.Sprintf("Found more than one undo migration with version %s", first.Version)
	default:
		e.Message = fmt.Sprintf("Found more than one migration with version %s", first.Version)
	}
	e.Message += "\nOffenders:"
	for _, s := range same {
		e.Message += fmt.Sprintf("\n-> %s (%s)", orElse(s.Physical, s.Path), s.Type)
	}
	return e
}
