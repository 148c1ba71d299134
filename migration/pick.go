package migration

import (
	"cmp"
	"fmt"
	"strings"
)

// picks are the items of the setting cherryPick, each of them a version or a description.
type picks struct {
	items       []string
	version     map[string]int // Version.key to the item's place, from 1
	description map[string]int
}

// readPicks returns nil where nothing is picked, so that everything is in play.
func readPicks(items []string) *picks {
	p := &picks{version: map[string]int{}, description: map[string]int{}}
	for _, item := range items {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		p.items = append(p.items, item)
		place := len(p.items)
		if v, err := ParseVersion(item); err == nil && p.version[v.key()] == 0 {
			p.version[v.key()] = place
		}
		if d := strings.ReplaceAll(item, "_", " "); p.description[d] == 0 {
			p.description[d] = place
		}
	}
	if len(p.items) == 0 {
		return nil
	}
	return p
}

// place returns the first item that names the migration, from 1; 0 when none does.
func (p *picks) place(v Version, description string) int {
	at := p.description[description]
	if !v.IsZero() {
		if n := p.version[v.key()]; at == 0 || n > 0 && n < at {
			at = n
		}
	}
	return at
}

// pick marks the entry as picked, or as left out.
func (p *picks) pick(e *Entry) {
	if p == nil {
		return
	}
	e.pick = p.place(e.Version(), e.Description())
	if e.pick == 0 && e.Script != nil { // the row's description may be shortened, or older
		e.pick = p.place(e.Version(), e.Script.Description)
	}
	e.Unpicked = e.pick == 0
}

// check refuses an item that names no migration, neither among the entries nor among the rows that they leave out.
func (p *picks) check(entries []Entry, more []Row) error {
	if p == nil {
		return nil
	}
	known := map[string]bool{}
	know := func(v Version, description string) {
		known["d "+description] = true
		if !v.IsZero() {
			known["v "+v.key()] = true
		}
	}
	for i := range entries {
		if e := &entries[i]; e.State != StateAvailable {
			know(e.Version(), e.Description())
			if e.Script != nil {
				know(e.Version(), e.Script.Description)
			}
		}
	}
	for _, row := range more {
		know(row.Version, row.Description)
	}
	for _, item := range p.items {
		v, err := ParseVersion(item)
		if known["d "+strings.ReplaceAll(item, "_", " ")] || err == nil && known["v "+v.key()] {
			continue
		}
		return &Error{Code: CodeError, Message: fmt.Sprintf("No migration named by cherryPick '%s' could be found.", item),
			Hint: "each item is the version of a migration, or its description with _ or blanks between the words"}
	}
	return nil
}

// comparePick orders by the place of the item that picked; what none picked comes last.
func comparePick(a, b *Entry) int {
	switch {
	case a.pick == b.pick:
		return 0
	case a.pick == 0:
		return 1
	case b.pick == 0:
		return -1
	}
	return cmp.Compare(a.pick, b.pick)
}
