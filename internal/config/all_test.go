package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/config"
)

// loadAll returns "name url locations" of each environment, or the mistakes, and the warnings about it all. reads counts
// the reading of files.
func loadAll(t *testing.T, files map[string]string, env []string, deployed string, args ...string) (got, warned []string, reads map[string]int) {
	t.Helper()
	line, err := config.Parse(args, config.Grammar{})
	if err != nil {
		t.Fatal(err)
	}
	reads = map[string]int{}
	list, warnings, err := config.LoadAll(config.Input{Args: line, Env: env, WorkDir: "/w", IsDir: func(string) bool { return true }, ReadFile: func(path string) ([]byte, error) {
		reads[path]++
		if text, ok := files[strings.TrimPrefix(path, "/w/")]; ok {
			return []byte(text), nil
		}
		return noFiles(path)
	}}, deployed)
	for _, w := range warnings {
		warned = append(warned, w.String())
	}
	if err != nil {
		return strings.Split(err.Error(), "\n"), warned, reads
	}
	for _, e := range list {
		if e.Settings.Environment() != e.Name {
			t.Errorf("the settings of %s are those of %s", e.Name, e.Settings.Environment())
		}
		got = append(got, strings.Join([]string{e.Name, e.Settings.Text("url"), e.Settings.Text("table")}, " "))
	}
	return got, warned, reads
}

func TestLoadAll(t *testing.T) {
	t.Parallel()
	const three = "[environments.dev]\nurl='postgres://h/dev'\n[environments.qa]\nurl='postgres://h/qa'\n[environments.prod]\nurl='postgres://h/prod'\n"
	conf := map[string]string{"flyway.conf": "flyway.table=base\n", "flyway_DEV.conf": "flyway.url=postgres://h/dev\n", "flyway_QA.conf": "flyway.url=postgres://h/qa\nflyway.table=t\n"}
	with := func(name, text string, more map[string]string) map[string]string {
		out := map[string]string{name: text}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	for _, c := range []struct {
		name     string
		files    map[string]string
		env      []string
		deployed string
		args     []string
		want     []string
		warned   []string
	}{
		{"the order of flyway.toml", map[string]string{"flyway.toml": three}, nil, "", nil,
			[]string{"dev postgres://h/dev flyway_schema_history", "qa postgres://h/qa flyway_schema_history", "prod postgres://h/prod flyway_schema_history"}, nil},
		{"the order of pipeline, which may leave some out", map[string]string{"skein.toml": "skein.pipeline=['prod','dev']\n" + three}, nil, "", nil,
			[]string{"prod postgres://h/prod flyway_schema_history", "dev postgres://h/dev flyway_schema_history"}, nil},
		{"a pipeline beside flyway.toml", map[string]string{"flyway.toml": three, "skein.toml": "skein.pipeline=['qa','prod']\n[skein.environments.qa]\nwaves=['1','rest']\n"}, nil, "", nil,
			[]string{"qa postgres://h/qa flyway_schema_history", "prod postgres://h/prod flyway_schema_history"}, nil},
		{"files of environments", conf, nil, "", []string{"-configFiles=flyway_DEV.conf,flyway_QA.conf"},
			[]string{"DEV postgres://h/dev base", "QA postgres://h/qa t"}, nil},
		{"the other way round", conf, nil, "", []string{"-configFiles=flyway_QA.conf,flyway_DEV.conf"},
			[]string{"QA postgres://h/qa t", "DEV postgres://h/dev base"}, nil},
		{"by a variable, gates beside", with("skein.toml", "[skein.environments.QA.gates]\nsoak='1h'\n", conf), []string{"FLYWAY_CONFIG_FILES=flyway_DEV.conf,flyway_QA.conf"}, "", nil,
			[]string{"DEV postgres://h/dev base", "QA postgres://h/qa t"}, nil},
		{"one file is no pipeline", conf, nil, "", []string{"-configFiles=flyway_QA.conf"}, []string{"default postgres://h/qa t"}, nil},
		{"nothing but a url", nil, nil, "", []string{"-url=postgres://h/x"}, []string{"default postgres://h/x flyway_schema_history"}, nil},
		{"a flag is for the one deployed to", map[string]string{"flyway.toml": three}, []string{"FLYWAY_TABLE=v"}, "qa", []string{"-url=postgres://h/other"},
			[]string{"dev postgres://h/dev flyway_schema_history", "qa postgres://h/other v", "prod postgres://h/prod flyway_schema_history"}, nil},
		{"and so with -environment", map[string]string{"flyway.toml": three}, nil, "", []string{"-environment=prod", "-table=x"},
			[]string{"dev postgres://h/dev flyway_schema_history", "qa postgres://h/qa flyway_schema_history", "prod postgres://h/prod x"}, nil},
		{"a flag that names its environment", map[string]string{"flyway.toml": three}, nil, "qa", []string{"-environments.dev.url=postgres://h/d2"},
			[]string{"dev postgres://h/d2 flyway_schema_history", "qa postgres://h/qa flyway_schema_history", "prod postgres://h/prod flyway_schema_history"}, nil},
		{"for all", map[string]string{"skein.toml": "skein.pipeline=['dev','qa']\n" + three}, []string{"FLYWAY_URL=postgres://h/v"}, "", []string{"-table=x"},
			[]string{"dev postgres://h/dev x", "qa postgres://h/qa x"}, []string{"FLYWAY_URL: is not used: it does not say which of the environments it is about"}},
		{"but not one database for all", map[string]string{"skein.toml": "skein.pipeline=['dev','qa']\n" + three}, nil, "", []string{"-url=postgres://h/v"},
			[]string{"-url: it does not say for which of the environments url is (write -environments.dev.url=)", "-url: it does not say for which of the environments url is (write -environments.qa.url=)"}, nil},
		{"mistakes of all at once, each once", map[string]string{"skein.toml": "skein.pipeline=['dev','qua','dev']\nskein.healthWait='x'\n" + three +
			"[skein.environments.dev.gates]\nsoak='y'\n[skein.environments.prod.gates]\nsoak='z'\n[skein.environments.prd]\nwaves=['1']\n"}, nil, "", nil,
			[]string{
				"skein.toml:1:16: Environment 'qua' of pipeline is not configured (did you mean qa?)", "skein.toml:1:16: Environment 'dev' stands twice in pipeline",
				`skein.toml:2:18: Invalid value for skein.healthWait: "x" is not a duration (write 90s, 30m, 24h or 2d)`,
				`skein.toml:10:6: Invalid value for skein.gates.soak: "y" is not a duration (write 90s, 30m, 24h or 2d)`,
				"skein.toml:14:7: Environment 'prd' is not configured (did you mean prod?)",
			}, nil},
		{"of each environment", map[string]string{"flyway.toml": three, "skein.toml": "[skein.environments.dev.gates]\nsoak='y'\n[skein.environments.prod]\nconcurrency=0\n"}, nil, "", nil,
			[]string{`skein.toml:2:6: Invalid value for skein.gates.soak: "y" is not a duration (write 90s, 30m, 24h or 2d)`, "skein.toml:4:13: Invalid value for skein.concurrency: 0 is less than 1"}, nil},
		{"two files for one environment", map[string]string{"flyway_QA.conf": "", "flyway-QA.conf": ""}, nil, "", []string{"-configFiles=flyway_QA.conf,flyway-QA.conf"},
			[]string{"-configFiles: flyway-QA.conf would be the environment QA, and so is flyway_QA.conf (give each environment one file)"}, nil},
		{"an environment that is not there", map[string]string{"flyway.toml": three}, nil, "", []string{"-environment=qua"},
			[]string{"-environment: Environment 'qua' is not configured (did you mean qa?)"}, nil},
	} {
		got, warned, reads := loadAll(t, c.files, c.env, c.deployed, c.args...)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(c.warned, warned); diff != "" {
			t.Errorf("%s: warnings (-want +got):\n%s", c.name, diff)
		}
		for path, n := range reads {
			if n > 1 {
				t.Errorf("%s: %s was read %d times", c.name, path, n)
			}
		}
	}
}
