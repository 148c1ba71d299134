package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// format is the number of the layout below "skein" in the JSON file. A file with a higher one is refused.
const format = 1

// file is the JSON file. Its first part is Flyway's, which reads no other operations than info and migrate there and
// passes over what it does not know.
type file struct {
	IndividualResults []json.RawMessage `json:"individualResults"`
	Skein             *own              `json:"skein,omitempty"`
}

type own struct {
	Format int   `json:"format"`
	Runs   []Run `json:"runs"`
}

// Earlier is what the JSON file held before: results that are kept until the same verb runs again.
type Earlier struct {
	results []json.RawMessage
	runs    []Run
}

// Read reads the JSON file of an earlier report, Flyway's or Skein's. An empty one is none. The error says what is wrong
// with it, without its name.
func Read(data []byte) (*Earlier, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return &Earlier{}, nil
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("it is no report: %w", err)
	}
	if f.IndividualResults == nil {
		return nil, errors.New("it is no report: it has no individualResults")
	}
	e := &Earlier{results: f.IndividualResults}
	if f.Skein != nil {
		if f.Skein.Format > format {
			return nil, fmt.Errorf("a newer version of Skein wrote it (format %d, this one knows %d)", f.Skein.Format, format)
		}
		e.runs = f.Skein.Runs
	}
	return e, nil
}

// Report is one command line.
type Report struct {
	Runs     []Run // in their order
	ExitCode int
	// Results are Flyway's documents of the runs of info and migrate, each a JSON object with the field operation.
	Results []json.RawMessage
	// Redact takes secrets out of the texts of Results, and of what the files held before.
	Redact func(string) string
}

// Files gives the page and the JSON. Of what was there before, they keep the newest result of each verb that has not run
// now.
func (r Report) Files(earlier *Earlier) (page, data []byte, err error) {
	var zone *time.Location
	for _, run := range r.Runs {
		zone = run.Started.Location()
	}
	f := file{IndividualResults: []json.RawMessage{}, Skein: &own{Format: format}}
	var foreign []Run
	now := newest(r.Results)
	for _, raw := range slices.Concat(newest(earlier.results), now) {
		op := operation(raw)
		old := !slices.ContainsFunc(now, func(n json.RawMessage) bool { return bytes.Equal(n, raw) })
		if old && slices.ContainsFunc(now, func(n json.RawMessage) bool { return operation(n) == op }) {
			continue
		}
		clean, err := r.clean(raw)
		if err != nil {
			return nil, nil, err
		}
		f.IndividualResults = append(f.IndividualResults, clean)
		if old && !r.ran(op) && !slices.ContainsFunc(earlier.runs, func(run Run) bool { return run.Verb == op }) {
			foreign = append(foreign, readForeign(clean, zone))
		}
	}
	kept := slices.DeleteFunc(slices.Clone(earlier.runs), func(run Run) bool { return r.ran(run.Verb) })
	for i := range kept {
		verb := kept[i].Verb
		kept[i].scrub(r.Redact)
		kept[i].Verb = verb
	}
	f.Skein.Runs = slices.Concat(kept, r.Runs)
	if data, err = marshal(f); err != nil {
		return nil, nil, err
	}
	page, err = r.page(slices.Concat(foreign, kept))
	return page, data, err
}

func (r Report) ran(verb string) bool {
	return slices.ContainsFunc(r.Runs, func(run Run) bool { return run.Verb == verb })
}

// newest keeps the last result of each operation.
func newest(results []json.RawMessage) []json.RawMessage {
	var kept []json.RawMessage
	for i, raw := range results {
		again := func(later json.RawMessage) bool { return operation(later) == operation(raw) }
		if !slices.ContainsFunc(results[i+1:], again) {
			kept = append(kept, raw)
		}
	}
	return kept
}

func operation(raw json.RawMessage) string {
	var o struct {
		Operation string `json:"operation"`
	}
	_ = json.Unmarshal(raw, &o) // no object: no operation
	return o.Operation
}

// clean takes secrets out of a document's texts, and leaves its numbers and names as they are.
func (r Report) clean(raw json.RawMessage) (json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return marshal(redacted(v, r.Redact))
}

func redacted(v any, redact func(string) string) any {
	switch v := v.(type) {
	case string:
		return redact(v)
	case []any:
		for i := range v {
			v[i] = redacted(v[i], redact)
		}
	case map[string]any:
		for name := range v {
			v[name] = redacted(v[name], redact)
		}
	}
	return v
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// readForeign makes a run of a result that Flyway wrote. It has no statements, and its time has no zone.
func readForeign(raw json.RawMessage, zone *time.Location) Run {
	var d struct {
		Operation, Database, Timestamp, FlywayVersion string
		Exception, SchemaVersion, TargetSchemaVersion *string
		Migrations                                    []struct {
			Version, Description, Type, FilePath, State, InstalledBy, InstalledOnUTC string
			ExecutionTime                                                            int
		}
	}
	_ = json.Unmarshal(raw, &d) // whatever has another form stays empty
	run := Run{Verb: d.Operation, OK: d.Exception == nil, Skein: "Flyway " + d.FlywayVersion, Target: &Target{Database: d.Database}}
	if at, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", d.Timestamp, zone); err == nil {
		run.Started, run.Ended = at, at
	}
	for _, m := range d.Migrations {
		name := m.FilePath[strings.LastIndexAny(m.FilePath, `/\`)+1:]
		if d.Operation == "migrate" {
			run.Steps = append(run.Steps, Step{State: Applied, Version: m.Version, Description: m.Description, Path: name, Type: m.Type, Micros: int64(m.ExecutionTime) * 1000})
			continue
		}
		one := Migration{
			Version: m.Version, Description: m.Description, Type: m.Type, Path: name, State: m.State, By: m.InstalledBy, Millis: m.ExecutionTime,
			Applied: m.InstalledBy != "",
		}
		if on, err := time.ParseInLocation(time.RFC3339Nano, m.InstalledOnUTC, zone); err == nil {
			on = on.In(zone)
			one.On = &on
		}
		run.Migrations = append(run.Migrations, one)
	}
	if d.Operation == "migrate" {
		run.VersionAfter = d.TargetSchemaVersion
	} else {
		run.VersionAfter = d.SchemaVersion
	}
	run.Summary = "Flyway ran " + d.Operation
	if d.Exception != nil {
		first, _, _ := strings.Cut(*d.Exception, "\n")
		run.Summary += ": " + first
		run.Failure = &Failure{Message: *d.Exception}
	}
	return run
}
