package cli

import (
	"fmt"
	"os"
	"slices"

	"github.com/skein-db/skein/internal/config"
)

// projectFile is the skein.toml of a new project.
const projectFile = `# Settings of this project. "skein config explain" shows what is in effect and where each value came from,
# "skein help" lists all settings. Variables (SKEIN_URL, FLYWAY_URL) and the command line win over this file.

[flyway]
locations = ["filesystem:sql"]
# environment = "default"  # which of the tables below is used

[environments.default]
url = "jdbc:postgresql://localhost:5432/postgres"
# user = "postgres"
# password = "${env.DB_PASSWORD}"  # passwords stay out of files
`

// init is the verb init: a new project, or a skein.toml made from .conf files.
func (r *runner) init() int {
	s := r.settings
	made := config.Converted{Text: projectFile, Environments: []string{"default"}}
	if from := s.List("init.from"); len(from) > 0 {
		var err error
		dir := r.absolute(".")
		made, err = config.Convert(config.Input{Args: r.line, Env: r.process.Env, WorkDir: dir}, from)
		if err != nil {
			return r.fail(err)
		}
	}
	file := r.absolute("skein.toml")
	if err := writeNew(file, made.Text, s.Bool("init.force")); err != nil {
		return r.fail(err)
	}
	if len(s.List("init.from")) == 0 {
		if err := os.MkdirAll(r.absolute("sql"), 0o755); err != nil {
			return r.fail(&usageError{Message: err.Error()})
		}
	} else if _, err := os.Stat(r.absolute("flyway.conf")); err == nil {
		made.Notes = append(made.Notes, "flyway.conf is still read, below skein.toml: remove it once Flyway is not used here any more")
	}
	if r.console.json {
		r.document(object{"operation": "init", "path": file, "environments": strs(made.Environments), "notes": strs(made.Notes)})
		return 0
	}
	r.console.result("created: "+file, "")
	for _, note := range made.Notes {
		r.console.info("%s", "note: "+note)
	}
	if envs := slices.Compact(made.Environments); len(envs) > 1 {
		r.console.info("%s", fmt.Sprintf("choose one with -environment=%s", envs[len(envs)-1]))
	}
	return 0
}
