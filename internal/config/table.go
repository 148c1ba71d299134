package config

import (
	"slices"
	"strings"
)

// table is every setting, in the order of documentation. The environment
// variables are filled in by build: FLYWAY_<UPPER_SNAKE> unless it says "-".
var table = build(append([]Key{
	// Connection.
	{Name: "url", Forms: connection, URL: true},
	{Name: "user", Forms: connection},
	{Name: "password", Forms: connection, Secret: true},
	{Name: "schemas", Kind: List, Forms: connection},
	{Name: "connectRetries", Kind: Integer, Default: "0", Forms: connection},
	{Name: "connectRetriesInterval", Kind: Integer, Default: "120", Forms: connection, Note: "seconds"},
	{Name: "initSql", Forms: connection},
	{Name: "jdbcProperties.*", Kind: Map, Forms: connection},
	{Name: "driver", Forms: connection, Standing: NoEffect, Note: "a Java class; Skein has its own PostgreSQL driver"},
	{Name: "displayName", Variable: "-", Forms: EnvironmentTOML, Standing: NoEffect, Note: "shown by Flyway Desktop only"},
	{Name: "provisioner", Variable: "-", Default: "none", Forms: EnvironmentTOML | Flag, Standing: NotYet, Note: "create or reset the database yourself before the run"},
	{Name: "resolvers.*", Kind: Map, Variable: "-", Forms: EnvironmentTOML | Flag, Note: "vault.url, .token, .engineName, .engineVersion, .namespace: where ${vault.path/key} is asked"},
	{Name: "environment", Variable: "-", Default: "default", Forms: TOML | Flag},
	{Name: "provisionMode", Variable: "-", Default: "provision", Forms: TOML | Flag, Standing: NoEffect, Note: "there are no provisioners to steer"},

	// Schemas and history.
	{Name: "defaultSchema", Forms: global},
	{Name: "table", Default: "flyway_schema_history", Forms: global},
	{Name: "tablespace", Forms: global},
	{Name: "createSchemas", Kind: Boolean, Default: "true", Forms: global},
	{Name: "installedBy", Forms: global, Note: "at most 100 characters; default: the database user", Max: 100},
	{Name: "lockRetryCount", Kind: Integer, Default: "50", Min: -1, Forms: global, Note: "-1: for ever"},
	{Name: "postgresql.transactional.lock", Kind: Boolean, Default: "true", Forms: global, Standing: NoEffect, Note: "Skein's lock excludes Flyway's either way, and hinders no concurrent index build"},

	// Where scripts are, and their names.
	{Name: "locations", Kind: List, Forms: global, Note: "default: the folder sql, when there is one"},
	{Name: "callbackLocations", Kind: List, Forms: global},
	{Name: "failOnMissingLocations", Kind: Boolean, Default: "false", Forms: global},
	{Name: "sqlMigrationPrefix", Default: "V", Forms: global},
	{Name: "undoSqlMigrationPrefix", Default: "U", Forms: global},
	{Name: "repeatableSqlMigrationPrefix", Default: "R", Forms: global},
	{Name: "baselineMigrationPrefix", Default: "B", Forms: global},
	{Name: "sqlMigrationSeparator", Default: "__", Forms: global},
	{Name: "sqlMigrationSuffixes", Kind: List, Default: ".sql", Forms: global},
	{Name: "validateMigrationNaming", Kind: Boolean, Default: "false", Forms: global},
	{Name: "encoding", Default: "UTF-8", Forms: global},
	{Name: "detectEncoding", Kind: Boolean, Default: "false", Forms: global},

	// Placeholders.
	{Name: "placeholderReplacement", Kind: Boolean, Default: "true", Forms: global},
	{Name: "placeholders.*", Kind: Map, Forms: global},
	{Name: "placeholderPrefix", Default: "${", Forms: global},
	{Name: "placeholderSuffix", Default: "}", Forms: global},
	{Name: "placeholderSeparator", Default: ":", Forms: global},
	{Name: "scriptPlaceholderPrefix", Default: "FP__", Forms: global},
	{Name: "scriptPlaceholderSuffix", Default: "__", Forms: global},
	{Name: "powershellExecutable", Forms: global, Note: "default: pwsh, on Windows powershell"},

	// What runs, and how.
	{Name: "target", Default: "latest", Forms: global},
	{Name: "cherryPick", Kind: List, Forms: global, Note: "versions or descriptions; default: everything"},
	{Name: "outOfOrder", Kind: Boolean, Default: "false", Forms: global},
	{Name: "skipExecutingMigrations", Kind: Boolean, Default: "false", Forms: global},
	{Name: "validateOnMigrate", Kind: Boolean, Default: "true", Forms: global},
	{Name: "ignoreMigrationPatterns", Kind: List, Default: "*:future", Forms: global},
	{Name: "ignoreMissingMigrations", Kind: Boolean, Default: "false", Forms: global, Note: "Flyway 8; newer: ignoreMigrationPatterns=*:missing"},
	{Name: "ignoreIgnoredMigrations", Kind: Boolean, Default: "false", Forms: global, Note: "Flyway 8; newer: ignoreMigrationPatterns=*:ignored"},
	{Name: "ignorePendingMigrations", Kind: Boolean, Default: "false", Forms: global, Note: "Flyway 8; newer: ignoreMigrationPatterns=*:pending"},
	{Name: "ignoreFutureMigrations", Kind: Boolean, Default: "true", Forms: global, Note: "Flyway 8; newer: ignoreMigrationPatterns=*:future"},
	{Name: "cleanDisabled", Kind: Boolean, Default: "true", Forms: global},
	{Name: "cleanOnValidationError", Kind: Boolean, Default: "false", Forms: global, Standing: Refused, Note: "Flyway removed it in 12.0, and Skein never drops data because a check failed; run clean yourself"},
	{Name: "baselineVersion", Default: "1", Forms: global},
	{Name: "baselineDescription", Default: "<< Flyway Baseline >>", Forms: global},
	{Name: "baselineOnMigrate", Kind: Boolean, Default: "false", Forms: global},
	{Name: "mixed", Kind: Boolean, Default: "false", Forms: global},
	{Name: "group", Kind: Boolean, Default: "false", Forms: global},
	{Name: "executeInTransaction", Kind: Boolean, Default: "true", Forms: global},
	{Name: "outputQueryResults", Kind: Boolean, Default: "true", Forms: global},
	{Name: "skipDefaultCallbacks", Kind: Boolean, Default: "false", Forms: global},
	{Name: "errorOverrides", Kind: List, Forms: global},
	{Name: "dryRunOutput", Variable: "FLYWAY_DRYRUN_OUTPUT", Forms: global, Note: "the file that migrate, undo, baseline, repair or clean writes its SQL to instead of running it"},
	{Name: "stream", Kind: Boolean, Default: "false", Forms: global, Standing: NoEffect, Note: "large scripts are read and sent in parts either way"},
	{Name: "batch", Kind: Boolean, Default: "false", Forms: global, Standing: NoEffect, Note: "the statements of long scripts travel together either way"},
	{Name: "checkDriftOnMigrate", Kind: Boolean, Default: "false", Variable: "-", Forms: global, Standing: Refused, Note: "it compares with a snapshot of Redgate's; Skein writes none"},

	// Output.
	{Name: "outputType", Variable: "-", Forms: global, Words: []string{"json"}},
	{Name: "outputFile", Variable: "-", Forms: Flag},
	{Name: "outputLogsInJson", Kind: Boolean, Default: "false", Variable: "-", Forms: TOML | Flag},
	{Name: "outputProgress", Kind: Boolean, Default: "false", Variable: "-", Forms: TOML | Flag, Note: "with outputType=json: a line on stderr as each script begins, runs and ends"},
	{Name: "color", Default: "auto", Variable: "-", Forms: global, Words: []string{"auto", "always", "never"}},
	{Name: "doNotRedactUrl", Kind: Boolean, Default: "false", Note: "environment only: FLYWAY_DO_NOT_REDACT_URL=true shows the URL, without passwords, where Flyway 13 writes ********"},
	{Name: "infoSinceDate", Variable: "-", Forms: Flag},
	{Name: "infoUntilDate", Variable: "-", Forms: Flag},
	{Name: "infoSinceVersion", Variable: "-", Forms: Flag},
	{Name: "infoUntilVersion", Variable: "-", Forms: Flag},
	{Name: "infoOfState", Kind: List, Variable: "-", Forms: Flag},
	{Name: "reportEnabled", Kind: Boolean, Default: "false", Variable: "-", Forms: global, Note: "writes a page and a JSON file: docs/reports.md"},
	{Name: "reportFilename", Default: "report", Forms: global, Note: "without .html and .json"},

	// Files.
	{Name: "workingDirectory", Variable: "-", Forms: Flag},
	{Name: "configFiles", Kind: List, Forms: Flag},
	{Name: "configFileEncoding", Default: "UTF-8", Forms: Flag, Note: "of .conf files; UTF-8, US-ASCII, ISO-8859-1, UTF-16, UTF-16LE or UTF-16BE"},

	// Java.
	{Name: "callbacks", Kind: List, Default: "db/callback", Forms: global, Standing: NoEffect, Loud: true, Note: "Java classes do not run in Skein; SQL callbacks and programs do"},
	{Name: "migrationResolvers", Kind: List, Variable: "-", Forms: global, Standing: NoEffect, Loud: true, Note: "Java classes do not run in Skein"},
	{Name: "resolvers", Kind: List, Forms: Conf | Flag, Standing: NoEffect, Loud: true, Note: "Java classes do not run in Skein"},
	{Name: "skipDefaultResolvers", Kind: Boolean, Default: "false", Forms: global, Standing: Refused, Note: "without the default resolvers only Java classes would find migrations"},
	{Name: "jarDirs", Kind: List, Forms: global, Standing: NoEffect, Note: "Java archives; Skein loads none"},
	{Name: "loggers", Kind: List, Default: "auto", Forms: global, Standing: NoEffect, Note: "Java logging"},
	{Name: "kerberosConfigFile", Forms: global, Standing: Refused, Note: "Skein does not speak Kerberos"},
	{Name: "communityDBSupportEnabled", Kind: Boolean, Default: "true", Variable: "FLYWAY_COMMUNITY_DB_SUPPORT_DISABLED", Forms: global, Standing: NoEffect, Note: "Skein is for PostgreSQL only"},

	// Licences and Redgate's service.
	{Name: "licenseKey", Forms: global, Standing: NoEffect, Secret: true, Note: "Skein needs no licence"},
	{Name: "email", Forms: global, Standing: NoEffect, Note: "Skein has no accounts"},
	{Name: "token", Forms: global, Standing: NoEffect, Secret: true, Note: "Skein has no accounts"},
	{Name: "offlinePermitPath", Forms: global, Standing: NoEffect, Note: "Skein needs no licence"},
	{Name: "pipelineId", Forms: global, Standing: NoEffect, Note: "Skein publishes nothing to Redgate's service"},
	{Name: "publishResult", Kind: Boolean, Default: "false", Forms: global, Standing: NoEffect, Note: "Skein publishes nothing to Redgate's service"},

	// What add writes. After the verb the names may be given without "add.".
	{Name: "add.description", Variable: "-", Forms: global},
	{Name: "add.type", Default: "versioned", Variable: "-", Forms: global, Words: []string{"versioned", "baseline", "undo", "repeatable"}},
	{Name: "add.version", Variable: "-", Forms: global, Note: "default: the highest there is, raised by one"},
	{Name: "add.timestamp", Default: "auto", Variable: "-", Forms: global, Words: []string{"auto", "always", "never"}, Note: "auto: as the highest version has it"},
	{Name: "add.location", Variable: "-", Forms: global, Note: "default: the first of locations that is one folder"},
	{Name: "add.nameOnly", Kind: Boolean, Default: "false", Variable: "-", Forms: global, Note: "print the name and write nothing"},
	{Name: "add.force", Kind: Boolean, Default: "false", Variable: "-", Forms: global, Note: "replace a file of that name"},

	// What init makes.
	{Name: "init.from", Kind: List, Variable: "-", Forms: global, Note: ".conf files to take over; the switch may be given several times"},
	{Name: "init.force", Kind: Boolean, Default: "false", Variable: "-", Forms: global, Note: "replace a skein.toml that is there"},
	{Name: "init.fromType", Default: "conf", Variable: "-", Forms: global, Words: []string{"conf"}, Standing: NoEffect, Note: "only .conf files can be taken over"},
	{Name: "init.projectName", Variable: "-", Forms: global, Standing: NoEffect, Note: "skein.toml holds no name"},
	{Name: "init.databaseType", Default: "PostgreSQL", Variable: "-", Forms: global, Standing: NoEffect, Note: "Skein is for PostgreSQL only"},
	{Name: "init.fileName", Default: "skein.toml", Variable: "-", Forms: global, Standing: Refused, Note: "the file is called skein.toml"},

	// What the verbs of releases are about.
	{Name: "release.name", Variable: "-", Forms: Flag, Note: "the words after a verb of releases"},
	{Name: "release.file", Variable: "-", Forms: global, Note: "the manifest that release create writes and release push reads; default: <name>.release.json"},

	// What sync is about.
	{Name: "sync.from", Variable: "-", Forms: Flag, Note: "the first word after the verb: s3://bucket/prefix"},
	{Name: "sync.directory", Variable: "-", Forms: Flag, Note: "the word after that: the folder"},
	{Name: "sync.release", Variable: "-", Forms: Flag, Note: "bring this release of those that are kept below the prefix"},
	{Name: "sync.delete", Kind: Boolean, Default: "false", Variable: "-", Forms: Flag, Note: "remove scripts that the prefix does not have"},
	{Name: "sync.dryRun", Kind: Boolean, Default: "false", Variable: "-", Forms: Flag, Note: "say what would be done, and do nothing"},

	// What schedule next is about.
	{Name: "schedule.expression", Variable: "-", Forms: Flag, Note: "the words after the verb"},
	{Name: "schedule.timezone", Default: "UTC", Variable: "-", Forms: Flag, Note: "whose clock a schedule means: Europe/Oslo"},
	{Name: "schedule.start", Variable: "-", Forms: Flag, Note: "the moment that a rate is counted from: 2026-12-07T02:00:00Z"},

	{Name: "plan.execute", Kind: Boolean, Default: "false", Variable: "-", Forms: Flag, Note: "run it in a transaction, measure, and roll back"},
	{Name: "plan.format", Default: "table", Variable: "-", Forms: global, Words: []string{"table", "sql"}, Note: "what plan prints; JSON is outputType=json"},

	// Verbs of Flyway that Skein does not have, and secrets managers.
	{Name: "schemaModelLocation", Variable: "-", Forms: global, Standing: OtherVerb, Note: "belongs to model, diff and check"},
	{Name: "schemaModelSchemas", Kind: List, Variable: "-", Forms: global, Standing: OtherVerb, Note: "belongs to model, diff and check"},
	otherVerb("diff"), otherVerb("diffText"), otherVerb("generate"),
	otherVerb("model"), otherVerb("prepare"), otherVerb("deploy"), otherVerb("snapshot"),
	notYetFamily("check", "run Skein's own verbs instead"),
	notYetFamily("tags", "choose scripts with target or cherryPick"),
	notYetFamily("migrate", "it asks for a snapshot of Redgate's, and Skein writes none"), notYetFamily("undo", "it asks for a snapshot of Redgate's, and Skein writes none"),
	{Name: "vault.url", Forms: global, Note: "for vault.secrets: https://vault:8200/v1"},
	{Name: "vault.token", Forms: global, Secret: true, Note: "for vault.secrets"},
	{Name: "vault.namespace", Variable: "-", Forms: global, Note: "for vault.secrets; Flyway has no such key"},
	{Name: "vault.secrets", Kind: List, Forms: global, Note: "paths of secrets whose fields are settings (flyway.password); they win over all other places"},
	refusedFamily("dapr", "Skein has no Dapr client; "+instead),
	refusedFamily("gcsm", "Skein has no client of Google's Secret Manager; "+instead),
	refusedFamily("akv", "Skein has no client of Azure's Key Vault; "+instead),
	refusedFamily("plugins", "Flyway moved these in version 9: write vault.url for plugins.vault.vaultUrl, and so on"),

	// Skein's own.
	{Name: "skein.exitCodes", Default: "skein", Forms: global, Words: []string{"flyway", "skein"}, Note: "whose exit codes are used"},
	{Name: "skein.keepSessionState", Kind: Boolean, Default: "false", Forms: global, Note: "let session state leak from one script to the next, as Flyway does"},
	{Name: "skein.journalSchema", Default: "skein", Forms: global, Note: "the schema of Skein's own tables, made when a script first needs them"},
	{Name: "skein.markApplied", Forms: global, Note: "repair: record this pending version as applied without running it"},
	{Name: "skein.runAgain", Forms: global, Note: "repair: forget how far this version's script has come; the next run begins with its first statement"},
	{Name: "skein.reason", Forms: global, Note: "why markApplied or runAgain is right; kept in journalSchema"},
	{Name: "skein.durableEach", Kind: Boolean, Default: "false", Forms: global, Note: "wait for the disk at the commit of each script, not of each 100 small ones"},
	{Name: "skein.detach", Kind: Boolean, Default: "false", Forms: global, Note: "the server finishes a script and its history row when the client was killed; no notices are heard then"},
	{Name: "skein.stallBudget", Kind: Integer, Default: "1000", Forms: global, Note: "milliseconds that a script's wait for a lock may hold others up; 0: wait as PostgreSQL does"},
	{Name: "skein.behindLimit", Kind: Integer, Default: "20", Forms: global, Note: "more sessions than that behind a script for longer than stallBudget: it gives way; 0: any number"},
	{Name: "skein.lockDeadline", Kind: Integer, Default: "600", Min: 1, Forms: global, Note: "seconds that a script may wait for a moment that fits stallBudget"},
	{Name: "skein.reconnectDeadline", Kind: Integer, Default: "60", Forms: global, Note: "seconds to come back after a connection broke in the middle of a run; 0: never"},
	{Name: "skein.timeBudget", Forms: global, Note: "10m: begin no script that may not fit; what is left waits for the next run, exit code 9"},
	{Name: "skein.requireMigrations", Kind: Boolean, Default: "true", Forms: global, Note: "finding no migrations is an error (under the name flyway: a warning)"},
	{Name: "skein.ignoreJavaMigrations", Kind: List, Forms: global, Note: "versions, or *: rows of Java migrations that need no file"},
	{Name: "skein.role", Forms: global, Note: "the role that owns what the run creates (SET ROLE)"},
	{Name: "skein.secretPlaceholders", Kind: List, Forms: global, Note: "placeholders whose values are shown nowhere"},
	{Name: "wait.version", Variable: "-", Forms: global, Note: "the version that wait waits for"},
	{Name: "wait.timeout", Default: "10m", Variable: "-", Forms: global, Note: "for how long"},
	{Name: "watch.stalledAfter", Kind: Integer, Default: "10", Min: 1, Variable: "-", Forms: global, Note: "seconds without any change after which watch calls a run stalled"},
	{Name: "skein.progress", Default: "auto", Forms: global, Words: []string{"auto", "plain", "never"}, Note: "of scripts that run for long: in place on a terminal and lines elsewhere, lines only, or none and no connection for it"},
	{Name: "skein.applicationName", Default: "skein", Forms: global, Note: "application_name of Skein's sessions"},
	{Name: "skein.production", Kind: Boolean, Default: "false", Forms: global, Lasting: true, Note: "the database serves people: clean, baselineOnMigrate and plan --execute are refused there; once true, nothing makes it false"},
	{Name: "skein.allowProduction", Kind: Boolean, Default: "false", Forms: Flag, Note: "do what production refuses; in no file"},
}, slices.Concat(pipelineKeys, deployKeys, lambdaKeys, awsKeys)...))

func otherVerb(verb string) Key {
	return Key{Name: verb + ".*", Kind: Map, Variable: "-", Forms: global, Standing: OtherVerb, Note: "belongs to the verb " + verb}
}

func notYetFamily(name, note string) Key {
	return Key{Name: name + ".*", Kind: Map, Variable: "-", Forms: global, Standing: NotYet, Note: note}
}

func refusedFamily(name, note string) Key {
	return Key{Name: name + ".*", Kind: Map, Variable: "FLYWAY_" + upperSnake(name) + "_*", Forms: global, Standing: Refused, Note: note}
}

// build fills in the names of environment variables.
func build(keys []Key) []Key {
	for i := range keys {
		k := &keys[i]
		bare := upperSnake(strings.TrimPrefix(strings.TrimSuffix(k.Name, ".*"), "skein."))
		suffix := ""
		if k.Kind == Map {
			suffix = "_*"
		}
		switch {
		case k.Variable == "-" || k.own():
			k.Variable = ""
		case k.Variable == "":
			k.Variable = "FLYWAY_" + bare + suffix
		}
		switch {
		case k.Forms&Flag == 0 && k.Name != "doNotRedactUrl", k.Kind == Map && k.Variable == "":
		default:
			k.SkeinVariable = "SKEIN_" + bare + suffix
		}
	}
	return keys
}
