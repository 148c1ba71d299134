package lambda

import (
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// Namespace is the one of the metrics in CloudWatch. Each is there under the dimensions Environment, and Environment and
// Target.
const Namespace = "Skein"

// Metrics are all of them, with CloudWatch's units.
var Metrics = map[string]string{
	"RunSucceeded": "Count", "RunFailed": "Count", "Continuations": "Count",
	"ScriptsApplied": "Count", "ScriptDuration": "Milliseconds", "LockWait": "Milliseconds", "PendingScripts": "Count",
	"HoursSinceSuccess": "None",
}

// Finished is the message of the one line that ends a run, for queries of logs.
const Finished = "run_finished"

// log writes lines of JSON for CloudWatch: what happened, and metrics in its embedded format.
type log struct {
	out    io.Writer
	now    func() time.Time
	mask   func(string) string
	mu     *sync.Mutex // one line at a time
	logger *slog.Logger
}

func newLog(out io.Writer, now func() time.Time) *log {
	l := &log{now: now, mask: func(s string) string { return s }, mu: &sync.Mutex{}}
	l.out = &oneAtATime{out: out, mu: l.mu}
	l.logger = l.fresh()
	return l
}

// fresh makes the logger. The names are those of Lambda's own lines in JSON, so that its filter of levels works.
func (l *log) fresh() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l.out, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case len(groups) > 0:
		case a.Key == slog.TimeKey:
			return slog.String("timestamp", l.now().UTC().Format("2006-01-02T15:04:05.000Z"))
		case a.Key == slog.MessageKey:
			a.Key = "message"
		}
		if a.Value.Kind() == slog.KindString {
			a.Value = slog.StringValue(l.mask(a.Value.String()))
		}
		return a
	}}))
}

// with gives a log whose lines all say so much more.
func (l *log) with(args ...any) *log {
	c := *l
	c.logger = l.logger.With(args...)
	return &c
}

// masked gives a log that knows secrets. It begins anew: what with said before has to be said again.
func (l *log) masked(mask func(string) string) *log {
	c := *l
	c.mask = mask
	c.logger = c.fresh()
	return &c
}

// about are where metrics belong.
type about struct{ environment, target, run string }

// metrics writes values in CloudWatch's embedded metric format: a line that becomes metrics without a call. It is written
// at once, since a function that runs into its limit never writes again.
func (l *log) metrics(a about, values map[string]float64) {
	type metric struct{ Name, Unit string }
	var list []metric
	line := map[string]any{"Environment": a.environment, "run": a.run}
	dimensions := [][]string{{"Environment"}}
	if a.target != "" { // a dimension must not be empty; a run that failed before it knew its database counts all the same
		line["Target"] = a.target
		dimensions = append(dimensions, []string{"Environment", "Target"})
	}
	for name, value := range values {
		list = append(list, metric{name, Metrics[name]})
		line[name] = value
	}
	slices.SortFunc(list, func(a, b metric) int { return strings.Compare(a.Name, b.Name) })
	line["_aws"] = map[string]any{
		"Timestamp": l.now().UnixMilli(),
		"CloudWatchMetrics": []any{map[string]any{
			"Namespace": Namespace, "Dimensions": dimensions, "Metrics": list,
		}},
	}
	text, err := json.Marshal(line)
	if err != nil {
		l.logger.Error("a metric could not be written", "error", err.Error())
		return
	}
	_, _ = l.out.Write(append(text, '\n')) // there is nowhere else to tell
}

// oneAtATime is what lines of several goroutines go through.
type oneAtATime struct {
	out io.Writer
	mu  *sync.Mutex
}

func (o *oneAtATime) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.out.Write(p)
}
