package cli

import (
	"context"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/migration"
)

// wait is the verb of that name: it ends well when the version is there.
func (r *runner) wait(ctx context.Context) outcome {
	version, within, err := wire.Wait(r.settings)
	if err != nil {
		return outcome{err: err, document: r.failures.failureDocument(err)}
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
