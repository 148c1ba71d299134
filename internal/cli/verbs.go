package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/config"
)

// verb is one word of the command line.
type verb struct {
	Name    string
	Summary string   // one line
	Text    string   // what it does, for its own page
	Example []string // command lines without the program's name
	// Settings are the keys that matter to it beyond those of every verb; "x.*" stands for a family.
	Settings []string
	Flags    []string // its switches, "keep"
}

// verbs are what this release can do, in the order of help.
var verbs = []verb{
	{
		Name: "migrate", Summary: "apply what is pending",
		Text: "Applies every pending migration in version order, then the repeatable ones that are new or changed. Each script and its\n" +
			"row in the schema history are committed together; a script that fails leaves nothing behind.",
		Example: []string{"migrate -url=jdbc:postgresql://db/shop -user=app", "migrate --url postgres://app@db/shop --target 12", "info migrate info"},
		Settings: []string{
			"locations", "target", "cherryPick", "outOfOrder", "schemas", "defaultSchema", "table", "baselineOnMigrate", "baselineVersion", "validateOnMigrate",
			"placeholders.*", "mixed", "group", "installedBy", "lockRetryCount", "skipExecutingMigrations", "skein.keepSessionState", "skein.role", "skein.requireMigrations",
			"skein.reconnectDeadline", "skein.timeBudget", "skein.detach", "dryRunOutput",
		},
	},
	{
		Name: "undo", Summary: "take back the last migration, or all down to a target",
		Text: "Runs the undo script (U2__x.sql for version 2) of the versioned migration that was applied last, and records it; the\n" +
			"version is pending again. With target it goes back, the latest first, to the target version and undoes that one too;\n" +
			"with cherryPick it undoes what is listed, the last of the list first. Repeatable migrations are left alone.",
		Example: []string{"undo", "undo -target=7", "undo -cherryPick=7 info"},
		Settings: []string{"locations", "target", "cherryPick", "undoSqlMigrationPrefix", "group", "mixed", "installedBy", "lockRetryCount", "skipExecutingMigrations",
			"skein.reconnectDeadline", "skein.timeBudget", "skein.detach", "dryRunOutput"},
	},
	{
		Name: "info", Summary: "show every migration and its state",
		Text:    "Prints the schema version and a table of all migrations, applied or not. It only reads.",
		Example: []string{"info", "info -infoOfState=PENDING,FAILED", "info -outputType=json", "info -migrationIds -infoOfState=PENDING"},
		Settings: []string{"locations", "target", "cherryPick", "outOfOrder", "infoOfState", "infoSinceVersion", "infoUntilVersion", "infoSinceDate", "infoUntilDate",
			"outputType", "outputFile"},
		Flags: []string{"migrationIds"},
	},
	{
		Name: "plan", Summary: "show what migrate would do, and change nothing",
		Text: "Prints the scripts that migrate would run, in order, with a fingerprint that is the same for the same scripts in the same\n" +
			"order on the same history. With --format sql it prints the complete SQL for psql, history rows and callbacks included,\n" +
			"which dryRunOutput writes to a file, for other verbs too. It takes no lock and needs to read the history only; its\n" +
			"session is read only: initSql and afterConnect, which it runs, fail if they write.\n" +
			"With --execute it runs everything in one transaction, for which it waits like migrate, and rolls it back: it tells the\n" +
			"locks, table rewrites, rows and time of each statement, what could not be tried that way (statements that refuse a\n" +
			"transaction, programs) and which sequences went on, which a rollback does not undo. The locks are real while it runs: on\n" +
			"a target with production=true it is refused without --allow-production.",
		Example:  []string{"plan", "plan --format sql", "plan -outputType=json", "plan --execute -target=12", "plan --execute -environment=qa"},
		Settings: []string{"plan.format", "plan.execute", "skein.production", "skein.allowProduction", "dryRunOutput", "locations", "target", "outOfOrder", "placeholders.*", "outputType", "outputFile"},
	},
	{
		Name: "validate", Summary: "check that scripts and schema history agree",
		Text: "Compares names, types and checksums of the scripts with what was applied. With -outputType=json the findings are the\n" +
			"result; the exit code is then 4 (0 under the name flyway).",
		Example:  []string{"validate", "validate -ignoreMigrationPatterns='*:pending,*:future'"},
		Settings: []string{"locations", "target", "cherryPick", "ignoreMigrationPatterns", "skein.ignoreJavaMigrations", "outputType"},
	},
	{
		Name: "baseline", Summary: "take over a database that exists already",
		Text: "Creates the schema history with one row that says: everything up to baselineVersion is there. Migrations up to it are\n" +
			"not run.",
		Example:  []string{"baseline -baselineVersion=7 -baselineDescription='as of March'"},
		Settings: []string{"baselineVersion", "baselineDescription", "schemas", "defaultSchema", "table", "createSchemas", "dryRunOutput"},
	},
	{
		Name: "repair", Summary: "make the schema history follow the scripts",
		Text: "Removes the rows of failed migrations, marks as deleted what has no script any more, and takes over checksums,\n" +
			"descriptions and types from the scripts. It changes the history only, at once, and prints each change.\n" +
			"With markApplied or runAgain it decides about one script that stopped half-way, and does nothing else.",
		Example:  []string{"repair", "repair -markApplied=7 -reason='finished by hand, see CHG-1234'"},
		Settings: []string{"locations", "skein.markApplied", "skein.runAgain", "skein.reason", "cherryPick", "ignoreMigrationPatterns", "skein.ignoreJavaMigrations", "dryRunOutput"},
	},
	{
		Name: "clean", Summary: "drop everything in the configured schemas",
		Text:     "Drops all objects in the configured schemas, data included. It is refused unless cleanDisabled=false is given.",
		Example:  []string{"clean -cleanDisabled=false", "clean migrate -cleanDisabled=false"},
		Settings: []string{"cleanDisabled", "schemas", "defaultSchema", "dryRunOutput"},
	},
	{
		Name: "deploy", Summary: "bring a release to all databases of an environment",
		Text: "Asks all targets of the environment, and of the one before it in pipeline, how they stand, decides by the gates, says what\n" +
			"will run, and migrates wave by wave. Without --release it takes the newest release for the first environment, and what\n" +
			"the environment before has proved for the others. Run again, or with --resume, it does what is left. With --back-to it\n" +
			"undoes what an older release has not. The exit code is 0 when all targets have everything, 10 when gates are closed, 11\n" +
			"when targets failed and the failure budget allowed it, 12 when the rollout stopped before its end.",
		Example:  []string{"deploy dev", "deploy qa --release 2026.11 --dry-run", "deploy production --resume", "deploy qa --back-to 2026.10", "deploy qa --override soak -releaser=ana -reason='hotfix, CHG-4711'"},
		Settings: []string{"deploy.release", "deploy.resume", "deploy.backTo", "deploy.dryRun", "deploy.override", "deploy.reason", "deploy.factor", "skein.pipeline", "skein.releases", "skein.releaser", "skein.targets", "skein.waves", "skein.concurrency", "skein.failureBudget", "outputType"},
	},
	{
		Name: "promote", Summary: "deploy what the environment before has proved",
		Text: "Finds the release that every target of the environment before has as a whole, byte for byte, and nothing besides, and\n" +
			"deploys it.",
		Example:  []string{"promote qa", "promote production --dry-run"},
		Settings: []string{"deploy.dryRun", "deploy.override", "deploy.reason", "skein.pipeline", "skein.releases", "outputType"},
	},
	{
		Name: "approve", Summary: "approve a release for an environment, with a signature",
		Text: "Shows what would run on which database, asks, and signs with signKey. The approval is kept beside the release. It counts\n" +
			"for exactly these databases, plans and histories: when one of them changes, it is void. The author of a release cannot\n" +
			"approve it.",
		Example:  []string{"approve production --release 2026.11 -signKey=/home/ben/.ssh/id_ed25519", "approve qa --back-to 2026.10 --yes"},
		Settings: []string{"deploy.release", "deploy.backTo", "deploy.person", "deploy.expires", "deploy.yes", "skein.signKey", "skein.people.*", "skein.releases", "outputType"},
	},
	{
		Name: "status", Summary: "show where releases stand in all environments",
		Text: "Asks all databases and prints the board: which release is where, which targets differ, who brought what and when. With\n" +
			"--why ENVIRONMENT or ENVIRONMENT/TARGET it gives the whole chain of reasons why a release (the newest, or --release) is not\n" +
			"applied there. It only reads.",
		Example:  []string{"status", "status --why production", "status --why qa/shop-7 --release 2026.11", "status -outputType=json"},
		Settings: []string{"deploy.why", "deploy.release", "skein.pipeline", "skein.releases", "outputType"},
	},
	{
		Name: "adopt", Summary: "say what the first run on a database would do",
		Text: "Looks for the history of Flyway (3 to 13), golang-migrate, goose or Liquibase, compares it with the scripts, and says\n" +
			"what stands in the way and which commands to type, in order. It only reads, in one read-only transaction; initSql and\n" +
			"callbacks do not run. The exit code is 0 when nothing stands in the way, 4 when scripts and history disagree, 8\n" +
			"when something has to be decided first (1 under the name flyway).",
		Example: []string{"adopt", "adopt -locations=filesystem:db/migrations", "adopt -table=schema_version", "adopt -outputType=json"},
		Settings: []string{"locations", "schemas", "defaultSchema", "table", "target", "cherryPick", "outOfOrder", "baselineOnMigrate", "baselineVersion",
			"ignoreMigrationPatterns", "skein.ignoreJavaMigrations", "outputType"},
	},
	{
		Name: "watch", Summary: "show what a run elsewhere is doing",
		Text: "Finds the run that works on the schema history, Skein's or Flyway's, on whatever machine, and shows script, statement,\n" +
			"percentage and who waits for whom, with a verdict: working, blocked, stalled, orphaned (its client is gone and the\n" +
			"server still works), unseen (this role may not look) or nothing running. It goes on until ^C; with --once it looks\n" +
			"once, and the exit code is 0 for working and nothing running, 21 blocked, 22 stalled, 23 orphaned, 24 unseen (1 under\n" +
			"the name flyway). It only reads; to see sessions of other roles takes pg_read_all_stats.",
		Example:  []string{"watch", "watch --once", "watch --once -outputType=json"},
		Settings: []string{"watch.stalledAfter", "locations", "schemas", "defaultSchema", "table", "outputType"},
		Flags:    []string{"once"},
	},
	{
		Name: "pin", Summary: "record which database an environment has",
		Text: "Shows which database the url leads to: its name, the host, the system_identifier of the server (on Aurora the instances\n" +
			"of the cluster). It asks, or takes --yes, and records that this is the database of the selected environment: in the\n" +
			"database itself, and in skein.toml as [skein.environments.<name>.identity]. From then on every verb stops before it\n" +
			"writes anything where the two do not fit: another database, a copy of it, another environment. With --replace it writes\n" +
			"over an earlier pin, for a database that has moved or a copy that is to be another environment from now on.",
		Example:  []string{"pin -environment=production", "pin -environment=qa --yes", "pin -environment=qa --replace --yes -outputType=json"},
		Settings: []string{"environment", "skein.identity.system", "skein.identity.cluster", "skein.identity.database", "skein.identity.host", "skein.releaser", "skein.journalSchema", "outputType"},
		Flags:    []string{"yes", "replace"},
	},
	{
		Name: "audit", Summary: "show who has changed what in a database",
		Text: "Prints what is recorded of migrate, undo, baseline, repair, clean and pin: when, by whom, with which plan and release.\n" +
			"Each row holds the hash of the one before it; a row that was changed, taken out or moved is found, and the exit code is\n" +
			"then 25 (1 under the name flyway). With --verify it says only that. --export prints all rows as JSON, one a line. It\n" +
			"only reads. Rows are written where a database is pinned or a release was deployed.",
		Example:  []string{"audit", "audit --verify", "audit --export", "audit -outputType=json"},
		Settings: []string{"skein.journalSchema", "outputType"},
		Flags:    []string{"verify", "export"},
	},
	{
		Name: "wait", Summary: "wait until a version is applied",
		Text: "Ends with 0 as soon as the schema history says that the database is at the version or a later one, and with 13 when that\n" +
			"does not come within the timeout: for an init container, or a service that must not start before its migrations are\n" +
			"done. It waits for a server and a history that are not there yet, looks at no scripts, takes no lock, and needs to\n" +
			"read the history only. After the verb the settings may be given without \"wait.\".",
		Example:  []string{"wait --version 7", "wait --version 7 --timeout 2m", "wait --version=7 -outputType=json"},
		Settings: []string{"wait.version", "wait.timeout", "schemas", "defaultSchema", "table", "outputType"},
	},
	{
		Name: "add", Summary: "write a new, empty migration file",
		Text: "Makes an empty script with the next version, or with the time where versions hold one, and prints its path. All settings\n" +
			"may be given without \"add.\" after the verb; as skein, the words after it are the description. It needs no database.",
		Example: []string{`add "create customer"`, "add -description='all views' -type=repeatable", "add -type=undo", "add drop legacy -timestamp=always -nameOnly"},
		Settings: []string{"add.description", "add.type", "add.version", "add.timestamp", "add.location", "add.nameOnly", "add.force", "locations",
			"sqlMigrationPrefix", "repeatableSqlMigrationPrefix", "baselineMigrationPrefix", "sqlMigrationSeparator", "sqlMigrationSuffixes", "outputType"},
	},
	{
		Name: "init", Summary: "begin a project, or take over a flyway.conf",
		Text: "Writes skein.toml and makes the folder sql. With -from it turns .conf files into one skein.toml: flyway.conf is the\n" +
			"environment default and lies below the others, flyway_QA.conf is QA. Comments come along; passwords become references to\n" +
			"environment variables, which it names. The new file is read and compared with the old ones before it is written, and\n" +
			"those stay as they are. It needs no database.",
		Example:  []string{"init", "init -from=flyway.conf,flyway_QA.conf", "init --from old/flyway.conf --from old/flyway_prod.conf -force"},
		Settings: []string{"init.from", "init.force", "configFileEncoding", "workingDirectory", "outputType"},
	},
	{
		Name: "release create", Summary: "make a release of the scripts: a manifest with their hashes",
		Text: "Reads all scripts of locations and writes a manifest: each file with its SHA-256, and one digest of the whole. With\n" +
			"signKey it is signed. Nothing is copied yet, and no database is needed; release push does that. The name is yours:\n" +
			"up to 100 letters, digits, dots, dashes, underscores and plus signs.",
		Example:  []string{"release create 2026.11", "release create v7 -locations=git:v7:sql -releaser=ana -signKey=/home/ana/.ssh/id_ed25519"},
		Settings: []string{"release.file", "locations", "sqlMigrationSuffixes", "skein.releaser", "skein.signKey", "skein.people.*", "outputType"},
	},
	{
		Name: "release push", Summary: "put a release where releases are kept",
		Text: "Compares the scripts of locations with the manifest, byte for byte, and puts them into releases: the scripts first, the\n" +
			"manifest last, so that an upload that breaks off is no release; the same command finishes it. A release that is\n" +
			"there never changes: the same one again is nothing to do, another one of that name is refused.",
		Example:  []string{"release push 2026.11 -releases=s3://deploy/shop", "release push 2026.11 -releases=filesystem:/srv/releases"},
		Settings: []string{"skein.releases", "release.file", "locations", "sqlMigrationSuffixes", "skein.signReleases", "skein.people.*", "outputType"},
	},
	{
		Name: "release list", Summary: "show the releases that there are",
		Text:     "Prints the releases, the oldest first, who made and signed them, and what looks like a release and is none.",
		Example:  []string{"release list", "release list -releases=s3://deploy/shop -outputType=json"},
		Settings: []string{"skein.releases", "skein.people.*", "outputType"},
	},
	{
		Name: "release diff", Summary: "compare two releases, or one with the scripts here",
		Text:     "Prints which files were added (+), removed (-) and changed (~) from the first to the second. With one name the second\nis what locations hold.",
		Example:  []string{"release diff 2026.10 2026.11", "release diff 2026.11 -locations=filesystem:sql"},
		Settings: []string{"skein.releases", "locations", "sqlMigrationSuffixes", "outputType"},
	},
	{
		Name: "release verify", Summary: "read all of a release and compare it with its manifest",
		Text: "Reads every file in the version that the manifest names, compares size and SHA-256, and checks the signature. The exit\n" +
			"code is 0 when all of it is right, 8 when something is not what it was (1 under the name flyway).",
		Example:  []string{"release verify 2026.11", "release verify 2026.11 -signReleases=true"},
		Settings: []string{"skein.releases", "skein.signReleases", "skein.people.*", "outputType"},
	},
	{
		Name: "sync", Summary: "bring a local folder to what a prefix in S3 holds",
		Text: "Fetches what is new or changed below the prefix, every file to a temporary name first; only when all of them have come\n" +
			"whole is each moved to its place, so that a transfer that breaks off changes nothing. What the prefix does not have\n" +
			"stays, unless --delete is given: then scripts, programs and what sync has brought before are removed. It writes\n" +
			"nothing outside the folder and through no symbolic link. With --release the prefix is where releases are kept, and\n" +
			"the folder gets exactly the files of that one, compared with its manifest. It needs no database.",
		Example:  []string{"sync s3://deploy/shop/sql /srv/shop/sql", "sync s3://deploy/shop /srv/shop/sql --release 2026.11 --delete", "sync s3://deploy/shop/sql sql --dry-run"},
		Settings: []string{"sync.from", "sync.directory", "sync.release", "sync.delete", "sync.dryRun", "sqlMigrationSuffixes", "skein.signReleases", "skein.people.*", "outputType"},
	},
	{
		Name: "schedule next", Summary: "print the next ten times of a schedule",
		Text: "Reads a schedule as EventBridge Scheduler has them, rate(…), cron(…) with six fields or at(…), or cron's own five fields,\n" +
			"says what is wrong with it, and prints its next ten times in the time zone. Where the clock jumps over a time it says\n" +
			"so: EventBridge Scheduler leaves that one out. A rate is counted from --start, else from now. It needs no database.",
		Example:  []string{`schedule next "cron(0 2 1 * ? *)" --timezone Europe/Oslo`, `schedule next "rate(14 days)" --start 2026-12-07T02:00:00Z`},
		Settings: []string{"schedule.timezone", "schedule.start", "outputType"},
	},
	{
		Name: "aws doctor", Summary: "look whether a first run would find what it needs",
		Text: "One line for each thing: settings, region, whose credentials, the clock, buckets, secrets (their names only), the way to the\n" +
			"database, TLS, the endpoint, the login, the server, and the privileges that docs/grants.md lists; ok, warning or failed, and\n" +
			"what to do. What depends on a failure is not looked at. It only reads, and runs neither initSql nor scripts. The exit\n" +
			"code is 0 without a failure, else that of the first one. The function itself looks with {\"command\": \"doctor\"}: only it\n" +
			"can tell what is reached from its VPC.",
		Example:  []string{"aws doctor", "aws doctor qa", "aws doctor qa -outputType=json"},
		Settings: []string{"environment", "locations", "skein.releases", "skein.role", "defaultSchema", "table", "skein.journalSchema", "outputType"},
	},
	{
		Name: "aws schedule list", Summary: "show the schedules of Skein's function at AWS",
		Text: "Prints the schedules of EventBridge Scheduler that hand Skein's function an event: environment, command, expression, state\n" +
			"and the next time. With --function those with this target only, with --group and --prefix those of a group and whose\n" +
			"names begin so. It only reads: scheduler:ListSchedules and scheduler:GetSchedule.",
		Example:  []string{"aws schedule list", "aws schedule list --group skein -outputType=json", "aws schedule list --function arn:aws:lambda:eu-central-1:123456789012:function:skein"},
		Settings: []string{"aws.schedule.function", "aws.schedule.group", "aws.schedule.prefix", "outputType"},
	},
	{
		Name: "aws schedule set", Summary: "create or change the schedule of an environment at AWS",
		Text: "Checks the expression, says which account and region it is about, and creates the schedule that is called as the\n" +
			"environment, with the input and the retries that deploy/aws gives its own; or changes what is given, where there is one. A\n" +
			"new one takes --function and --role. Then it prints the next times. A schedule that is not Skein's is left alone.",
		Example: []string{
			`aws schedule set dev "cron(0 2 1 * ? *)" --timezone Europe/Oslo --function arn:aws:lambda:eu-central-1:123456789012:function:skein --role arn:aws:iam::123456789012:role/skein-scheduler`,
			"aws schedule set dev --disabled", `aws schedule set qa "rate(14 days)" --start 2026-12-07T02:00:00Z --command promote --group skein`,
		},
		Settings: []string{"aws.schedule.timezone", "aws.schedule.start", "aws.schedule.command", "aws.schedule.function", "aws.schedule.role", "aws.schedule.deadLetter", "aws.schedule.disabled", "aws.schedule.group", "outputType"},
	},
	{
		Name: "aws schedule delete", Summary: "remove the schedule of an environment at AWS",
		Text:     "Shows the schedule, in which account and region, asks, or takes --yes, and removes it. A schedule that is not Skein's is left alone.",
		Example:  []string{"aws schedule delete dev", "aws schedule delete dev --group skein --yes"},
		Settings: []string{"aws.schedule.group", "aws.schedule.yes", "outputType"},
	},
	{
		Name: "config explain", Summary: "print every setting in effect and where it came from",
		Text:    "Lists each effective value, the file and line, variable or flag that gave it, and what it overrode. Passwords are masked.",
		Example: []string{"config explain", "config explain -configFiles=prod.toml -environment=prod"},
	},
	{
		Name: "demo", Summary: "show a deployment from dev to qa on two throwaway servers",
		Text: "Starts two PostgreSQL servers, deploys a small shop to dev and then to qa, where it fails half way, is repaired and\n" +
			"succeeds, and removes the servers again. It needs no settings.",
		Example: []string{"demo", "demo -keep"},
		Flags:   []string{"keep"},
	},
	{
		Name: "testConnection", Summary: "connect, and do nothing else",
		Text: "Connects as every verb does, with initSql and connectRetries, and says whether that works. Scripts and history are not\n" +
			"looked at.",
		Example:  []string{"testConnection", "testConnection -environment=prod -outputType=json"},
		Settings: []string{"connectRetries", "connectRetriesInterval", "initSql", "skein.role"},
	},
	{Name: "list-engines", Summary: "print the databases that this speaks to", Text: "Prints PostgreSQL. It needs no settings.", Example: []string{"list-engines"}},
	{Name: "version", Summary: "print the version", Text: "Prints the version. It needs no settings.", Example: []string{"version", "version -outputType=json"}},
	{Name: "help", Summary: "print this, or what a verb does", Text: "Prints the list of verbs, or the page of one.", Example: []string{"help", "help migrate"}},
}

// laterVerbs are words of Flyway's, and of Skein's plan, that this release does not know how to follow.
var laterVerbs = []string{
	"check", "diff", "diffText", "generate", "model", "prepare", "snapshot",
	"auth", "mcp", "lint", "squash", "server",
}

// together are the verbs that may stand on one line.
var together = []string{"migrate", "undo", "info", "validate", "baseline", "repair", "clean", "plan", "testConnection", "version"}

// looking are those of them that change no database.
var looking = []string{"info", "validate", "plan", "testConnection", "version", "adopt", "watch"}

// Grammar is what the command line takes under the name skein.
func Grammar() config.Grammar { return grammar(false) }

// grammar is what the verbs add to the command line.
func grammar(flyway bool) config.Grammar {
	var g config.Grammar
	g.Words = map[string][]string{"sync": {"sync.from", "sync.directory"}}
	if !flyway {
		g.Words["add"] = []string{"add.description"}
		g.Families = map[string]string{}
		for _, v := range fleetVerbs {
			g.Words[v], g.Families[v] = []string{"deploy.environment"}, "deploy"
		}
		g.Words["schedule next"], g.Families["schedule next"] = []string{"schedule.expression"}, "schedule"
		g.Words["aws schedule set"] = []string{"aws.schedule.environment", "aws.schedule.expression"}
		g.Words["aws doctor"] = []string{"environment"}
		g.Words["aws schedule delete"] = []string{"aws.schedule.environment"}
		for _, v := range scheduleVerbs {
			g.Families[v] = "aws.schedule"
		}
	}
	for _, verb := range []string{"release create", "release push", "release diff", "release verify"} {
		g.Words[verb] = []string{"release.name"}
	}
	for _, v := range verbs {
		g.Verbs = append(g.Verbs, v.Name)
		for _, f := range v.Flags {
			g.Flags = append(g.Flags, config.VerbFlag{Verb: v.Name, Name: f})
		}
	}
	g.Verbs = append(g.Verbs, laterVerbs...)
	return g
}

func lookupVerb(name string) (verb, bool) {
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.Name == name })
	if i < 0 {
		return verb{}, false
	}
	return verbs[i], true
}

// checkVerbs refuses what this release cannot do before anything is touched.
func checkVerbs(words []string) error {
	if slices.Contains(words, "help") {
		return nil
	}
	var absent []string
	for _, w := range words {
		if slices.Contains(laterVerbs, w) {
			absent = append(absent, w)
		}
	}
	if len(absent) > 0 {
		return &usageError{
			Message: strings.Join(absent, " and ") + " is not part of this release of Skein",
			Hint:    "its verbs are " + strings.Join(verbNames(), ", "),
		}
	}
	if len(words) > 1 {
		for _, w := range words {
			if !slices.Contains(together, w) {
				return &usageError{Message: fmt.Sprintf("%s does not go together with other verbs", w)}
			}
		}
	}
	return nil
}

func verbNames() []string {
	var names []string
	for _, v := range verbs {
		names = append(names, v.Name)
	}
	return names
}
