package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var ownCSS string

var pageCSS = sync.OnceValue(func() string { return ownCSS + widths() })

//go:embed page.js
var pageJS string

// widths are the classes of the bars: .w37 is 37 % wide. The page's policy forbids a style of their own.
func widths() string {
	var b strings.Builder
	for i := range 101 {
		fmt.Fprintf(&b, ".w%d{width:%d%%}", i, i)
	}
	return b.String()
}

// pageTemplate is made when there is a page to write: it takes a tenth of what the rest of the program needs to start.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"span": span, "plural": plural, "clock": clock, "zone": zone, "deref": deref, "caret": caret, "width": width, "mark": mark, "first": first, "lines": lines, "version": version,
	}).Parse(pageHTML))
})

// What the page shows at most: rows of statements altogether, of one step, and of one step when there are more than that
// altogether. The JSON has all of them.
const (
	maxRows     = 20000
	stepRows    = 200
	stepRowsMin = 3
	slowest     = 10 // of a whole run
	fewSteps    = 8  // a run of more has its slowest statements in a table, a filter, and its scripts closed
)

// view is what the template sees.
type view struct {
	Title, Verdict string
	OK             bool
	ExitCode       int
	Target         *Target
	Skein          string
	Started, Ended time.Time
	Runs, Earlier  []runView
	CSS            template.CSS
	JS             template.JS
	Policy         string
	Filter         bool
}

type runView struct {
	Run
	ID                  string
	Head                bool // its summary is the page's verdict already
	Scripts             []stepView
	Callbacks           []stepView
	Warnings            []Message
	Said                []Message // beside the scripts, without the warnings
	Waiting, Installed  []Migration
	Statements, Pending int
	Slowest             []rowView // of runs with more scripts than are open at first
	Foreign             bool
	History             bool // the history is shown: once for one command line
	Old                 bool // of an earlier command line, which may have been about another database
}

type stepView struct {
	Step
	Share float64 // of the longest step, 0 to 1
	Rows  []rowView
	Left  int   // statements that are not shown
	Took  int64 // those together
	Open  bool
}

type rowView struct {
	Statement
	Share float64 // of its step's time
}

func (r Report) page(earlier []Run) ([]byte, error) {
	v := view{CSS: template.CSS(pageCSS()), JS: template.JS(pageJS), ExitCode: r.ExitCode, OK: true} //nolint:gosec // both are part of this program
	v.Policy = "default-src 'none'; style-src '" + hash(pageCSS()) + "'; script-src '" + hash(pageJS) + "'; base-uri 'none'; form-action 'none'"
	rows := budget(append(slices.Clone(r.Runs), earlier...))
	var verbs []string
	for i, run := range r.Runs {
		rv := viewRun(run, fmt.Sprintf("run%d", i+1), rows)
		rv.History = i == len(r.Runs)-1
		v.Runs = append(v.Runs, rv)
		// The verdict is what went wrong first; when all went well, what was changed last.
		if v.OK && (!run.OK || v.Verdict == "" || run.Verb == "migrate" || run.Verb == "undo") {
			v.Verdict, v.OK = run.Summary, run.OK
		}
		v.Target = cmp.Or(v.Target, run.Target)
		v.Skein, v.Ended = run.Skein, run.Ended
		if i == 0 {
			v.Started = run.Started
		}
		verbs = append(verbs, run.Verb)
		v.Filter = v.Filter || len(run.Steps) > fewSteps
	}
	switch {
	case len(r.Runs) == 1:
		v.Runs[0].Head = true
	case v.OK:
		v.Verdict = strings.Join(verbs, ", ") + ": all done. " + v.Verdict
	}
	for i, run := range earlier {
		rv := viewRun(run, fmt.Sprintf("earlier%d", i+1), rows)
		rv.History, rv.Old = true, true
		v.Earlier = append(v.Earlier, rv)
	}
	v.Title = strings.Join(verbs, ", ")
	if v.Target != nil {
		v.Title += " on " + v.Target.Database
	}
	var b bytes.Buffer
	err := pageTemplate().Execute(&b, v)
	return b.Bytes(), err
}

// hash lets the page's own style and script through its content security policy, and no other.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// budget is how many statements of each step are shown.
func budget(runs []Run) int {
	rows, steps := 0, 0
	for _, run := range runs {
		for _, s := range run.Steps {
			rows += min(len(s.Statements), stepRows)
			steps++
		}
	}
	if rows <= maxRows {
		return stepRows
	}
	return min(stepRows, max(stepRowsMin, maxRows/steps))
}

func viewRun(run Run, id string, rows int) runView {
	v := runView{Run: run, ID: id, Warnings: run.warnings(), Waiting: run.waiting(), Installed: run.installed(), Pending: run.pending(),
		Foreign: strings.HasPrefix(run.Skein, "Flyway ")}
	for _, m := range run.Messages {
		if m.Severity != warning {
			v.Said = append(v.Said, m)
		}
	}
	longest := int64(1)
	for _, s := range run.Steps {
		longest = max(longest, s.Micros)
	}
	for _, s := range run.Steps {
		sv := viewStep(s, rows)
		sv.Share = float64(s.Micros) / float64(longest)
		sv.Open = s.State == Failed || len(run.Steps) <= fewSteps && len(s.Statements) <= 25
		if s.Callback != "" {
			v.Callbacks = append(v.Callbacks, sv)
		} else {
			v.Scripts = append(v.Scripts, sv)
			v.Statements += len(s.Statements)
		}
	}
	if len(run.Steps) > fewSteps {
		v.Slowest = slowestOf(run)
	}
	return v
}

// slowestOf gives the statements that took longest, each with the path of its script.
func slowestOf(run Run) []rowView {
	var all []rowView
	for _, s := range run.Steps {
		for _, st := range s.Statements {
			if st.Micros == nil {
				continue
			}
			st.Path = cmp.Or(st.Path, s.Path)
			all = append(all, rowView{Statement: st})
		}
	}
	slices.SortStableFunc(all, func(a, b rowView) int { return cmp.Compare(*b.Micros, *a.Micros) })
	all = all[:min(slowest, len(all))]
	for i := range all {
		all[i].Share = float64(*all[i].Micros) / float64(max(1, *all[0].Micros))
	}
	return all
}

// viewStep chooses the statements that are shown: all, or the failed one and the slowest, in their order.
func viewStep(s Step, rows int) stepView {
	v := stepView{Step: s}
	shown := make([]bool, len(s.Statements))
	order := make([]int, len(s.Statements))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(weight(s.Statements[b]), weight(s.Statements[a])) })
	for _, i := range order[:min(rows, len(order))] {
		shown[i] = true
	}
	for i, st := range s.Statements {
		if !shown[i] {
			v.Left++
			v.Took += deref(st.Micros)
			continue
		}
		row := rowView{Statement: st}
		if st.Micros != nil && s.Micros > 0 {
			row.Share = min(1, float64(*st.Micros)/float64(s.Micros))
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

func weight(s Statement) int64 {
	if s.Failed {
		return 1 << 62
	}
	return deref(s.Micros)
}

func deref(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func version(v *string) string {
	if v == nil {
		return "unknown"
	}
	return cmp.Or(*v, "none")
}

func clock(t time.Time) string { return t.Format("2006-01-02 15:04:05") }

func zone(t time.Time) string {
	name := t.Format("MST")
	if name == "UTC" {
		return name
	}
	if offset := t.Format("-07:00"); !strings.HasPrefix(name, "+") && !strings.HasPrefix(name, "-") {
		return offset + " (" + name + ")"
	}
	return t.Format("-07:00")
}

// width is the length of a bar of 100.
func width(share float64) int { return int(share*100 + 0.5) }

// mark goes with a state, so that colour is not the only sign.
func mark(s State) string {
	switch s {
	case Failed:
		return "✗"
	case RolledBack, Undone:
		return "↶"
	case NotRun:
		return "–"
	}
	return "✓"
}

// caret draws the place of an error: the line, and a mark below it. A long line is cut around the place.
func caret(f *Failure) string {
	const around = 60
	line := []rune(f.Source)
	col := f.Column
	if len(line) > 2*around {
		from := max(0, min(col-around, len(line)-2*around))
		line, col = line[from:from+2*around], col-from
	}
	number := fmt.Sprintf("%d", f.Line)
	out := number + " | " + string(line)
	if col < 1 || col > len(line)+1 {
		return out
	}
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(line[:col-1]))
	return out + "\n" + strings.Repeat(" ", len(number)) + " | " + pad + "^"
}

// first is the beginning of a statement as one line, and whether there is more of it.
func first(sql string) string {
	const most = 160
	text := strings.Join(strings.Fields(sql), " ")
	if short, left := cut(text, most); left > 0 {
		return short + " …"
	}
	return text
}

// lines tells whether the statement as one line leaves nothing out.
func lines(s Statement) bool { return s.Cut > 0 || first(s.SQL) != strings.TrimSpace(s.SQL) }
