package cli

import (
	"context"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/migration"
)

// wait is the verb of that name: it ends well when the version is there.
func (r *runner) wait(ctx context.Context) outcome {
	d := door{settings: r.settings}
	version := check(&d, "wait.version", versionOrNone)
	within := check(&d, "wait.timeout", duration)
	if version.IsZero() && len(d.mistakes) == 0 {
		d.mistakes = config.Mistakes{{Key: "wait.version", Text: "no version to wait for is given", Hint: "say which one: skein wait --version 7"}}
	}
	if len(d.mistakes) > 0 {
		return outcome{err: d.mistakes, document: r.failures.failureDocument(d.mistakes)}
	}
	result, err := skein.Wait(ctx, r.engine, version, within)
	if err != nil {
		o := r.failures.failureDocument(err)
		waitFields(o, result, version)
		return outcome{err: err, document: o}
	}
	r.console.info("Version %s is there: schema %s is at version %s (waited %s)", version, quoted(result.Schema), result.Version, clock(result.Waited))
	o := head("wait", result.Target)
	waitFields(o, result, version)
	return outcome{document: o}
}

func waitFields(o object, result *skein.WaitResult, version migration.Version) {
	o["wantedVersion"], o["schemaVersion"], o["waitedMillis"] = version.String(), versionOrNil(result.Version), result.Waited.Milliseconds()
}
