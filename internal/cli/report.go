package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/report"
)

// reporter writes the two files of reportEnabled. It opens both before anything runs: a report that cannot be written is
// an error while nothing has been done yet.
type reporter struct {
	page, data *os.File
	earlier    *report.Earlier
	report     report.Report
	recorder   *report.Recorder
	grouped    bool
}

// reportNames gives the paths of page and JSON: Flyway adds .html and .json to the whole name, unless it ends as a page
// does (flyway.md §10.8).
func reportNames(name, dir string) (page, data string) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	ext := filepath.Ext(name)
	if strings.EqualFold(ext, ".html") || strings.EqualFold(ext, ".htm") {
		return name, strings.TrimSuffix(name, ext) + ".json"
	}
	return name + ".html", name + ".json"
}

func (r *runner) openReport() error {
	s := r.settings
	if !s.Bool("reportEnabled") || !slices.ContainsFunc(r.line.Verbs, hasReport) {
		return nil
	}
	fail := func(text string) error {
		return config.Mistakes{{Origin: s.Origin("reportFilename"), Key: "reportFilename", Text: text}}
	}
	dir := cmp.Or(s.Text("workingDirectory"), r.process.Dir)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(r.process.Dir, dir)
	}
	page, data := reportNames(s.Text("reportFilename"), dir)
	if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil { //nolint:gosec // a report is meant to be read by others
		return fail(err.Error())
	}
	p := &reporter{grouped: s.Bool("group"), report: report.Report{Redact: r.console.redactor.String}}
	var err error
	for _, f := range []struct {
		to   **os.File
		name string
	}{{&p.data, data}, {&p.page, page}} {
		if *f.to, err = os.OpenFile(f.name, os.O_RDWR|os.O_CREATE, 0o644); err != nil { //nolint:gosec // as above
			return errors.Join(fail(err.Error()), p.close())
		}
	}
	before, err := io.ReadAll(p.data)
	if err == nil {
		p.earlier, err = report.Read(before)
	}
	if err != nil {
		return errors.Join(fail(data+": "+err.Error()+"; remove it, or choose another reportFilename"), p.close())
	}
	r.reporter = p
	hear := r.engine.Report
	r.engine.Account = true
	r.engine.Report = func(e skein.Event) {
		hear(e)
		if p.recorder != nil {
			p.recorder.Hear(e, time.Now())
		}
	}
	return nil
}

func (p *reporter) close() error {
	var all []error
	for _, f := range []*os.File{p.data, p.page} {
		if f != nil {
			all = append(all, f.Close())
		}
	}
	return errors.Join(all...)
}

// hasReport is true of the verbs that run or look at migrations; what adopt, pin and audit say is their own output.
func hasReport(verb string) bool {
	return !slices.Contains([]string{"version", "adopt", "pin", "audit"}, verb)
}

// reported runs a verb under the reporter's eyes.
func (r *runner) reported(verb string, run func() outcome) outcome {
	p := r.reporter
	if p == nil {
		return run()
	}
	if p.recorder = nil; !hasReport(verb) {
		return run()
	}
	p.recorder = &report.Recorder{Redact: r.console.redactor.String, Grouped: p.grouped}
	begin := time.Now()
	o := run()
	code := o.code
	if o.err != nil {
		code = exitCode(o.err, r.console.flyway)
	}
	err := o.err
	if len(o.problems) > 0 {
		err = nil // the problems say it
	}
	p.report.Runs = append(p.report.Runs, p.recorder.Run(report.Outcome{
		Verb: verb, Skein: Version(), Started: begin, Ended: time.Now(), ExitCode: code, Err: err, Problems: o.problems,
	}))
	p.report.ExitCode = code
	// Flyway's part holds what Flyway reads there.
	if op := o.document["operation"]; op == "info" || op == "migrate" {
		p.report.Results = append(p.report.Results, json.RawMessage(document(o.document)))
	}
	return o
}

// writeReport ends the report. It gives the paths of what was written, "" for no report.
func (r *runner) writeReport() (page, data string, err error) {
	p := r.reporter
	if p == nil || len(p.report.Runs) == 0 {
		return "", "", nil
	}
	pageText, dataText, err := p.report.Files(p.earlier)
	if err == nil {
		err = errors.Join(replace(p.data, dataText), replace(p.page, pageText))
	}
	if err = errors.Join(err, p.close()); err != nil {
		return "", "", fmt.Errorf("the report could not be written: %w", err)
	}
	if r.console.flyway {
		r.console.info("A Flyway report has been generated here: %s", p.page.Name())
	} else {
		r.console.info("Report: %s and %s", p.page.Name(), p.data.Name())
	}
	return p.page.Name(), p.data.Name(), nil
}

// replace writes over what the file held.
func replace(f *os.File, text []byte) error {
	_, err := f.WriteAt(text, 0)
	return errors.Join(err, f.Truncate(int64(len(text))))
}

// withReport names the files in the document of a line that succeeded, as Flyway does, or says why there are none.
func withReport(o object, page, data string, err error) object {
	switch {
	case err != nil:
		o["reportError"] = err.Error()
	case page != "":
		o["htmlReport"], o["jsonReport"] = page, data
	}
	return o
}
