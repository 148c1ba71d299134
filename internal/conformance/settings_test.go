package conformance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/config"
)

// provenElsewhere names, for settings whose effect the facts of a scenario cannot tell, the test that does, or the
// script that uses it.
var provenElsewhere = map[string]string{
	"skein.progress":             "TestProgressIsTold",
	"watch.stalledAfter":         "TestVerdict",
	"add.description":            "../cli/testdata/script/add.txtar",
	"add.force":                  "../cli/testdata/script/add.txtar",
	"add.location":               "../cli/testdata/script/add.txtar",
	"add.nameOnly":               "../cli/testdata/script/add.txtar",
	"add.timestamp":              "../cli/testdata/script/add.txtar",
	"add.type":                   "../cli/testdata/script/add.txtar",
	"add.version":                "../cli/testdata/script/add.txtar",
	"init.force":                 "../cli/testdata/script/init.txtar",
	"init.from":                  "../cli/testdata/script/init.txtar",
	"outputProgress":             "../cli/testdata/script/db_output.txtar",
	"plan.execute":               "../cli/testdata/script/db_trial.txtar",
	"plan.format":                "../cli/testdata/script/db_plan.txtar",
	"resolvers.*":                "TestVaultIsAskedAsTheSettingsSay",
	"skein.allowProduction":      "TestTrialOnProduction",
	"skein.journalSchema":        "../cli/testdata/script/db_journal.txtar",
	"skein.markApplied":          "../cli/testdata/script/db_journal.txtar",
	"skein.production":           "../cli/testdata/script/db_trial.txtar",
	"skein.reason":               "../cli/testdata/script/db_journal.txtar",
	"skein.runAgain":             "../cli/testdata/script/db_journal.txtar",
	"skein.secretPlaceholders":   "TestNoCanaryLeaves",
	"vault.namespace":            "TestVaultIsAskedAsTheSettingsSay",
	"vault.secrets":              "TestVaultIsAskedAsTheSettingsSay",
	"vault.token":                "TestVaultIsAskedAsTheSettingsSay",
	"vault.url":                  "TestVaultIsAskedAsTheSettingsSay",
	"cherryPick":                 "TestCherryPickRunsTheListInItsOrder",
	"color":                      "../cli/testdata/script/db_commands.txtar",
	"connectRetries":             "TestConnectRetries",
	"connectRetriesInterval":     "TestConnectRetries",
	"doNotRedactUrl":             "../cli/testdata/script/db_commands.txtar",
	"errorOverrides":             "TestErrorOverrides",
	"lockRetryCount":             "TestLockRetryCount",
	"outputFile":                 "../cli/testdata/script/db_commands.txtar",
	"outputLogsInJson":           "../cli/testdata/script/db_commands.txtar",
	"outputType":                 "TestScenarios", // each is played with JSON too
	"outputQueryResults":         "TestQueryResultsCanBeLeftOut",
	"powershellExecutable":       "TestMissingInterpreterStopsBeforeAnythingRuns",
	"skein.applicationName":      "TestEngine",
	"skein.durableEach":          "TestDurableEach",
	"skein.exitCodes":            "../cli/testdata/script/arguments.txtar",
	"skein.ignoreJavaMigrations": "TestIgnoredJavaMigrations",
	"skein.keepSessionState":     "TestKeepSessionStateLeaksAsFlywayDoes",
	"skein.stallBudget":          "TestWhoseLockTimeout",
	"skein.lockDeadline":         "TestLockDeadlineNamesTheHolder",
	"skein.reconnectDeadline":    "TestLosingTheLockStopsTheRun",
	"skein.timeBudget":           "TestTimeBudget",
	"skein.requireMigrations":    "../cli/testdata/script/db_bad_input.txtar",
	"skein.role":                 "TestRoleOwnsEverything",
	"undoSqlMigrationPrefix":     "../cli/testdata/script/db_undo.txtar",
	"deploy.backTo":              "TestDeployScripts",
	"deploy.dryRun":              "TestDeployScripts",
	"deploy.environment":         "TestDeployScripts",
	"deploy.expires":             "../cli/testdata/deploy/approvals.txtar",
	"deploy.factor":              "TestSettingsOfAPipeline",
	"deploy.override":            "../cli/testdata/deploy/gates.txtar",
	"deploy.person":              "../cli/testdata/deploy/approvals.txtar",
	"deploy.reason":              "../cli/testdata/deploy/gates.txtar",
	"deploy.release":             "TestDeployScripts",
	"deploy.resume":              "TestDeployScripts",
	"deploy.why":                 "TestStory",
	"deploy.yes":                 "TestStory",
	"aws.schedule.environment":   "TestScheduleSet",
	"aws.schedule.expression":    "TestScheduleSet",
	"aws.schedule.timezone":      "TestScheduleSet",
	"aws.schedule.start":         "TestScheduleSet",
	"aws.schedule.command":       "TestScheduleSet",
	"aws.schedule.function":      "TestScheduleSet",
	"aws.schedule.role":          "TestScheduleSet",
	"aws.schedule.deadLetter":    "TestScheduleSet",
	"aws.schedule.disabled":      "TestScheduleSet",
	"aws.schedule.group":         "TestScheduleListAndDelete",
	"aws.schedule.prefix":        "TestScheduleListAndDelete",
	"aws.schedule.yes":           "TestScheduleListAndDelete",
	"sync.from":                  "TestScripts",
	"sync.directory":             "TestScripts",
	"sync.release":               "../cli/testdata/script/db_sync_s3.txtar",
	"sync.delete":                "../cli/testdata/script/db_sync_s3.txtar",
	"sync.dryRun":                "../cli/testdata/script/db_sync_s3.txtar",
	"schedule.timezone":          "../cli/testdata/script/schedule.txtar",
	"schedule.start":             "../cli/testdata/script/schedule.txtar",
	"schedule.expression":        "TestScripts",
	"release.file":               "../cli/testdata/script/release.txtar",
	"release.name":               "TestStory",
	"skein.allowBarePrefix":      "../cli/testdata/script/db_s3.txtar",
	"skein.barePrefixQuiet":      "../cli/testdata/script/db_s3.txtar",
	"skein.behindLimit":          "TestSessionsBehind",
	"skein.concurrency":          "TestSettingsOfAPipeline",
	"skein.detach":               "TestDetachedSessions",
	"skein.failureBudget":        "TestSettingsOfAPipeline",
	"skein.gates.approvalExpiry": "TestSettingsOfAPipeline",
	"skein.gates.approvals":      "TestStory",
	"skein.gates.command":        "TestDeployScripts",
	"skein.gates.freezes":        "TestSettingsOfAPipeline",
	"skein.gates.previous":       "TestSettingsOfAPipeline",
	"skein.gates.query":          "TestDeployScripts",
	"skein.gates.restorePoint":   "TestDeployScripts",
	"skein.gates.soak":           "TestSettingsOfAPipeline",
	"skein.gates.timeZone":       "TestSettingsOfAPipeline",
	"skein.gates.validate":       "TestSettingsOfAPipeline",
	"skein.gates.windows":        "TestSettingsOfAPipeline",
	"skein.healthQuery":          "TestSettingsOfAPipeline",
	"skein.healthWait":           "TestSettingsOfAPipeline",
	"skein.identity.cluster":     "TestScripts",
	"skein.identity.database":    "TestScripts",
	"skein.identity.host":        "TestScripts",
	"skein.identity.system":      "TestScripts",
	"skein.lambda.hops":          "TestDecide",
	"skein.lambda.idleHops":      "TestDecide",
	"skein.lambda.margin":        "TestWindow",
	"skein.lambda.maxTime":       "TestDecide",
	"skein.lambda.onRelease":     "TestWrappings",
	"skein.lambda.wakeTime":      "TestOutage",
	"skein.maxConnections":       "TestSettingsOfAPipeline",
	"skein.notify.from":          "TestNotificationsOfSettings",
	"skein.notify.on":            "TestNotificationsOfSettings",
	"skein.notify.slack":         "TestNotificationsOfSettings",
	"skein.notify.smtp":          "TestNotificationsOfSettings",
	"skein.notify.to":            "TestNotificationsOfSettings",
	"skein.notify.webhook":       "TestNotificationsOfSettings",
	"skein.notify.webhookSecret": "TestNotificationsOfSettings",
	"skein.people.*":             "TestStory",
	"skein.pipeline":             "TestDeployScripts",
	"skein.releaser":             "../cli/testdata/script/release.txtar",
	"skein.releases":             "TestStory",
	"skein.signKey":              "../cli/testdata/script/release_signed.txtar",
	"skein.signReleases":         "TestSettingsOfAPipeline",
	"skein.ssm.command":          "TestSSM",
	"skein.ssm.directory":        "TestSSM",
	"skein.ssm.instance":         "TestSSM",
	"skein.ssm.timeout":          "TestSSM",
	"skein.targetSchemas":        "TestDeployScripts",
	"skein.targets":              "TestDeployScripts",
	"skein.targetsFrom":          "TestSettingsOfAPipeline",
	"skein.targetsQuery":         "TestDeployScripts",
	"skein.waves":                "TestSettingsOfAPipeline",
	"wait.timeout":               "../cli/testdata/script/db_wait.txtar",
	"wait.version":               "../cli/testdata/script/db_wait.txtar",
}

// TestSettingsMatter finds for each setting that Skein honours a scenario that ends otherwise when the setting is left
// out of its command line: a setting that did nothing would have none.
func TestSettingsMatter(t *testing.T) {
	t.Parallel()
	all, tests := readScenarios(t), testNames(t)
	for _, k := range config.Keys() {
		if k.Standing != config.Honoured {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			t.Parallel()
			if test := provenElsewhere[k.Name]; test != "" {
				if !tests[test] && !uses(test, k) {
					t.Errorf("there is no test %s, or it does not name the setting", test)
				}
				return
			}
			named := 0
			for _, s := range all {
				without, ok := s.without(k.Name)
				if !ok || strings.HasPrefix(s.name, "cli-bad-") || strings.HasPrefix(s.name, "cli-duplicate-") {
					continue
				}
				named++
				if len(s.left(t, replay).differ(without.left(t, replay))) > 0 {
					return
				}
			}
			t.Errorf("%d scenarios name it, and all of them end the same without it", named)
		})
	}
}

// uses reports whether a script names a setting: -key=value, --key value, or a variable. A verb's own may be without the
// verb: -force for add.force.
func uses(file string, k config.Key) bool {
	text, err := os.ReadFile(file)
	name := k.Name[strings.LastIndexByte(k.Name, '.')+1:]
	return err == nil && (strings.Contains(string(text), "-"+name) || strings.Contains(string(text), "-"+k.Name+"=") || k.Variable != "" && strings.Contains(string(text), k.Variable))
}

// without leaves a setting out of the command lines of a scenario.
func (s scenario) without(name string) (scenario, bool) {
	stem, family := strings.CutSuffix(name, "*")
	found := false
	steps := slices.Clone(s.steps)
	for i, st := range steps {
		if st.verb == "sql" || st.verb == "hold" {
			continue
		}
		steps[i].words = slices.DeleteFunc(slices.Clone(st.words), func(w string) bool {
			rest, ok := strings.CutPrefix(w, "-"+stem)
			is := ok && (family || strings.HasPrefix(rest, "="))
			found = found || is
			return is
		})
	}
	s.steps = steps
	return s, found
}

// testNames are the tests of the whole module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, pattern := range []string{"../../*_test.go", "../../*/*_test.go", "../*/*_test.go", "*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range tree.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
					names[f.Name.Name] = true
				}
			}
		}
	}
	return names
}
