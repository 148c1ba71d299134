package adoption

import (
	"bytes"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/skein-db/skein/migration"
)

// foreignFile is a file in the naming of another tool.
type foreignFile struct {
	file    *migration.File
	version int64
	title   string
	down    bool // golang-migrate: it takes the version back
	split   bool // goose: it holds both ways
	code    bool // goose: written in Go
	special string
}

var (
	migrateName  = lazily(`^([0-9]+)_(.*)\.(up|down)\.sql$`)
	gooseName    = lazily(`^([0-9]+)_(.*)\.(sql|go)$`)
	gooseMark    = lazily(`(?im)^[ \t]*--[ \t]*\+goose[ \t]+`)
	gooseDown    = lazily(`(?im)^[ \t]*--[ \t]*\+goose[ \t]+down\b`)
	gooseAlone   = lazily(`(?im)^[ \t]*--[ \t]*\+goose[ \t]+no[ \t]+transaction\b`)
	gooseEnv     = lazily(`(?im)^[ \t]*--[ \t]*\+goose[ \t]+envsub[ \t]+on\b`)
	liquibaseSQL = lazily(`(?i)^\x{FEFF}?\s*--\s*liquibase\s+formatted\s+sql`)
	changesetTag = lazily(`(?im)^[ \t]*--[ \t]*changeset[ \t]+([^:\s]+):(\S+)(.*)$`)
)

// filesOf gives the files that a tool would take for its own, in the order in which they were found.
func (d *decision) filesOf(tool Tool) []foreignFile {
	var out []foreignFile
	for i := range d.facts.Files {
		f := &d.facts.Files[i]
		var one foreignFile
		ok := false
		switch tool {
		case GolangMigrate:
			one, ok = migrateFile(f)
		case Goose:
			one, ok = gooseFile(f)
		case Liquibase:
			one, ok = foreignFile{file: f}, isChangelog(f)
		}
		if ok {
			out = append(out, one)
		}
	}
	return out
}

func migrateFile(f *migration.File) (foreignFile, bool) {
	m := migrateName().FindStringSubmatch(path.Base(f.Path))
	if m == nil {
		return foreignFile{}, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	return foreignFile{file: f, version: n, title: m[2], down: m[3] == "down"}, err == nil
}

func gooseFile(f *migration.File) (foreignFile, bool) {
	m := gooseName().FindStringSubmatch(path.Base(f.Path))
	if m == nil || m[3] == "sql" && !gooseMark().Match(f.Content) {
		return foreignFile{}, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	one := foreignFile{file: f, version: n, title: m[2], split: gooseDown().Match(f.Content), code: m[3] == "go"}
	if gooseAlone().Match(f.Content) {
		one.special = "NO TRANSACTION: Skein finds out by itself which statements refuse one; for the others add " +
			"executeInTransaction=false in the .conf beside it"
	}
	if gooseEnv().Match(f.Content) {
		one.special = strings.TrimPrefix(one.special+"; ENVSUB: ${NAME} is a placeholder to Skein, set as placeholders.NAME", "; ")
	}
	return one, err == nil
}

// isChangelog reports whether a file is one of Liquibase's. Of files that are no SQL only the name is known.
func isChangelog(f *migration.File) bool {
	switch strings.ToLower(path.Ext(f.Path)) {
	case ".sql":
		return liquibaseSQL().Match(f.Content)
	case ".xml", ".yaml", ".yml", ".json":
		return len(f.Content) == 0 || bytes.Contains(f.Content, []byte("databaseChangeLog"))
	}
	return false
}

// changeset is one that a formatted SQL file holds.
type changeset struct {
	id, author string
	attributes string
	rollback   bool
}

func changesetsOf(f *migration.File) []changeset {
	tags := changesetTag().FindAllSubmatchIndex(f.Content, -1)
	var out []changeset
	for i, t := range tags {
		end := len(f.Content)
		if i+1 < len(tags) {
			end = tags[i+1][0]
		}
		text := func(group int) string { return string(f.Content[t[2*group]:t[2*group+1]]) }
		body := strings.ToLower(string(f.Content[t[1]:end]))
		out = append(out, changeset{author: text(1), id: text(2), attributes: strings.TrimSpace(text(3)),
			rollback: strings.Contains(body, "--rollback") || strings.Contains(body, "-- rollback")})
	}
	return out
}

// name is a script's name in the form that the settings give.
func (d *decision) name(prefix *string, usual, version, title string) string {
	if prefix != nil {
		usual = *prefix
	}
	suffix := ".sql"
	if len(d.facts.Naming.Suffixes) > 0 {
		suffix = d.facts.Naming.Suffixes[0]
	}
	return usual + version + orElse(d.facts.Naming.Separator, "__") + orElse(title, "migration") + suffix
}

func (d *decision) versioned(version, title string) string {
	return d.name(d.facts.Naming.Versioned, "V", version, title)
}

func (d *decision) undo(version, title string) string {
	return d.name(d.facts.Naming.Undo, "U", version, title)
}

// beside is a file of another name in the folder of f.
func beside(f *migration.File, name string) string { return path.Join(path.Dir(f.Path), name) }

// exists reports whether the locations hold a file of that path.
func (d *decision) exists(p string) bool {
	for i := range d.facts.Files {
		if d.facts.Files[i].Path == p {
			return true
		}
	}
	return false
}

// lazily compiles a pattern when it is first asked for: only adopt asks.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
