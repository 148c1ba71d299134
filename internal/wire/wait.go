package wire

import (
	"time"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/migration"
)

// Wait reads what the verb wait waits for, and for how long. Its error is config.Mistakes.
func Wait(s *config.Settings) (version migration.Version, within time.Duration, err error) {
	d := door{settings: s}
	version = check(&d, "wait.version", versionOrNone)
	within = check(&d, "wait.timeout", duration)
	if version.IsZero() && len(d.mistakes) == 0 {
		d.mistakes = config.Mistakes{{Origin: s.Origin("wait.version"), Key: "wait.version", Text: "no version to wait for is given", Hint: "say which one: skein wait --version 7"}}
	}
	if len(d.mistakes) > 0 {
		return migration.Version{}, 0, d.mistakes
	}
	return version, within, nil
}
