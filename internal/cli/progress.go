package cli

import (
	"strconv"
	"strings"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/migration"
)

// progress is outputProgress: beside a JSON document, a line on stderr as each script begins, runs and ends. As with
// Flyway, text output has none, since its own lines tell the same.
type progress struct {
	console *console
	step    int // of three for each script, of one where scripts are only recorded
}

func (p *progress) hear(event skein.Event) {
	switch e := event.(type) {
	case skein.Planned:
		p.step = 0
	case skein.StepStarted:
		if e.Skipped {
			p.tell(e.Script, "Skipping migration of "+e.Script.Path, e.Total)
			return
		}
		doing, of := "Migrating ", "migration of "
		if e.Script.Kind == migration.Undo {
			doing, of = "Undoing ", "undo of "
		}
		p.tell(e.Script, "Starting "+of+e.Script.Path+" ...", 3*e.Total)
		p.tell(e.Script, doing+e.Script.Path, 3*e.Total)
	case skein.Progress:
		p.work(e)
	case skein.StepDone:
		of := "migration of "
		if e.Script.Kind == migration.Undo {
			of = "undo of "
		}
		p.tell(e.Script, "Successfully completed "+of+e.Script.Path, 3*e.Total)
	}
}

// work is a line of Skein's own among those that Flyway has, about a script that runs for long. Under the name flyway there
// is none.
func (p *progress) work(e skein.Progress) {
	if p.console.flyway {
		return
	}
	blockers := list{}
	for _, b := range e.Blockers {
		blockers = append(blockers, sessionObject(b))
	}
	p.console.write(p.console.stderr, oneLine(object{"tag": "work", "message": strings.Join(progressLines(e), "; "), "work": workObject(e), "blockers": blockers})+"\n", "")
}

func (p *progress) tell(script *migration.Script, message string, total int) {
	p.step++
	operation := "migrate"
	if script.Kind == migration.Undo {
		operation = "undo"
	}
	var b strings.Builder
	b.WriteString(`{"message":`)
	writeString(&b, message)
	b.WriteString(`,"operation":"` + operation + `","step":` + strconv.Itoa(p.step) + `,"tag":"progress","totalSteps":` + strconv.Itoa(total) + "}\n")
	p.console.write(p.console.stderr, b.String(), "")
}
