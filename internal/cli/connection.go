package cli

import (
	"context"

	"github.com/skein-db/skein"
)

// testConnection is the verb of that name.
func (r *runner) testConnection(ctx context.Context) outcome {
	if _, err := skein.Ping(ctx, r.engine); err != nil {
		return outcome{err: err, document: r.failures.failureDocument(err)}
	}
	if r.console.flyway {
		r.console.info("Flyway engine connection successful")
	} else {
		r.console.info("The connection works.")
	}
	return outcome{document: object{"successfulConnections": list{"Flyway"}}}
}

// listEngines is the verb list-engines, which needs no settings.
func (r *runner) listEngines() int {
	const only = "PostgreSQL"
	if r.console.json {
		r.document(object{"command": "list-engines", "dbInfoResults": list{object{"name": only}}, "edition": nil, "version": Version()})
	} else {
		r.console.result("Database Name\n-------------\n"+only, "")
	}
	return 0
}
