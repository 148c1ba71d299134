package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/config"
)

const pipelineFile = `
[environments.dev]
url = "postgres://h/dev"
[environments.prod]
url = "postgres://h/prod"

[skein]
pipeline = ["dev", "prod"]
releases = "s3://bucket/releases"
waves = ["1", "10%", "rest"]
failureBudget = "2%"

[skein.people]
ana = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ana@laptop"]
bo = "ed25519 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

[skein.notify]
slack = "https://hooks.example.com/services/c4n4ry"
webhookSecret = "c4n4ry-key"
smtp = "smtp://me:c4n4ry@mail:587"
from = "skein@example.com"
to = ["ops@example.com", "Ana <ana@example.com>"]

[skein.environments.dev]
targets = ["eu=postgres://app:c4n4ry@h1/a", "postgres://h2/b?password=c4n4ry"]

[skein.environments.prod]
production = true
concurrency = 50
[skein.environments.prod.gates]
soak = "1d12h"
approvals = 2
windows = ["mon-thu 20:00-23:00"]
timeZone = "Europe/Berlin"
[skein.environments.prod.identity]
system = "7301234567890123456"
database = "shop"
`

func loadFile(text string, args ...string) (*config.Settings, error) {
	line, err := config.Parse(args, config.Grammar{})
	if err != nil {
		return nil, err
	}
	s, _, err := config.Load(config.Input{Args: line, WorkDir: "/w", IsDir: func(string) bool { return false }, ReadFile: func(path string) ([]byte, error) {
		if path == "/w/skein.toml" {
			return []byte(text), nil
		}
		return noFiles(path)
	}})
	return s, err
}

func TestPipelineSettings(t *testing.T) {
	t.Parallel()
	s, err := loadFile(pipelineFile, "-environment=prod", "-gates.approvals=1")
	if err != nil {
		t.Fatal(err)
	}
	people := s.Lists("skein.people")
	got := []any{
		s.List("skein.pipeline"), s.Text("skein.releases"), s.List("skein.waves"), s.Int("skein.concurrency"), s.Duration("skein.gates.soak"), s.Duration("skein.healthWait"),
		s.Int("skein.gates.approvals"), s.Origin("skein.gates.approvals").String(), s.Origin("skein.gates.soak").String(), s.List("skein.gates.windows"),
		s.Bool("skein.gates.previous"), s.Text("skein.identity.system"), len(people["ana"]), len(people["bo"]), len(people), s.List("skein.notify.to"), s.List("skein.notify.on"),
	}
	want := []any{
		[]string{"dev", "prod"}, "s3://bucket/releases", []string{"1", "10%", "rest"}, 50, 36 * time.Hour, 5 * time.Minute,
		1, "-gates.approvals", "skein.toml:31:8", []string{"mon-thu 20:00-23:00"},
		true, "7301234567890123456", 1, 1, 2, []string{"ops@example.com", "Ana <ana@example.com>"}, []string{"failed", "blocked", "done"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Explain shows every setting of the file, and no secret of it.
func TestPipelineExplained(t *testing.T) {
	t.Parallel()
	s, err := loadFile(pipelineFile, "-environment=dev")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, e := range s.Explain() {
		shown[strings.TrimPrefix(e.Key, "skein.")] = e.Value
		if text := e.Value + strings.Join(e.List, " "); strings.Contains(text, "c4n4ry") {
			t.Errorf("%s shows a secret: %s", e.Key, text)
		}
	}
	for key, want := range map[string]string{
		"targets": "eu=postgres://app:***@h1/a,postgres://h2/b?password=***", "notify.slack": "***", "notify.webhookSecret": "***",
		"notify.smtp": "smtp://me:***@mail:587", "people.bo": "ed25519 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "gates.soak": "0", "concurrency": "10",
		"gates.query": "", "identity.system": "", "waves": "1,10%,rest",
	} {
		if got, there := shown[key]; !there || got != want {
			t.Errorf("%s is shown as %q, want %q", key, got, want)
		}
	}
	known := 0
	for _, text := range s.Secrets() {
		if strings.Contains(text.Reveal(), "c4n4ry") {
			known++
		}
	}
	if known != 3 { // c4n4ry itself is in three of them
		t.Errorf("%d secrets are known, want 3", known)
	}
}

func TestPipelineMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ toml, want string }{
		{`skein.gates.soak = "a day"`, `skein.toml:1:20: Invalid value for skein.gates.soak: "a day" is not a duration (write 90s, 30m, 24h or 2d)`},
		{`skein.gates.soak = "-1h"`, `skein.toml:1:20: Invalid value for skein.gates.soak: "-1h" is not a duration (write 90s, 30m, 24h or 2d)`},
		{`skein.failureBudget = "101%"`, `skein.toml:1:23: Invalid value for skein.failureBudget: "101%" is neither a number nor a percentage from 0% to 100% (write a number or a percentage: 0, 5, 2%)`},
		{`skein.failureBudget = -1`, `skein.toml:1:23: Invalid value for skein.failureBudget: "-1" is neither a number nor a percentage from 0% to 100% (write a number or a percentage: 0, 5, 2%)`},
		{`skein.waves = ["1", "0%"]`, `skein.toml:1:15: Invalid value for skein.waves: "0%" is neither a number above 0, nor a percentage up to 100%, nor rest (write 1, 10% or rest)`},
		{`skein.waves = ["all"]`, `skein.toml:1:15: Invalid value for skein.waves: "all" is neither a number above 0, nor a percentage up to 100%, nor rest (write 1, 10% or rest)`},
		{`skein.concurrency = 0`, `skein.toml:1:21: Invalid value for skein.concurrency: 0 is less than 1`},
		{`skein.gates.approvals = 101`, `skein.toml:1:25: Invalid value for skein.gates.approvals: 101 is more than 100`},
		{`skein.gates.timeZone = "Berlin"`, `skein.toml:1:24: Invalid value for skein.gates.timeZone: "Berlin" is no time zone that this machine knows (write Europe/Berlin, America/New_York or UTC)`},
		{`skein.gates.timeZone = "Local"`, `skein.toml:1:24: Invalid value for skein.gates.timeZone: "Local" is another zone on each machine (write Europe/Berlin, America/New_York or UTC)`},
		{`skein.releases = "gs://x"`, `skein.toml:1:18: Invalid value for skein.releases: "gs://x" is no place that releases can be kept in (write filesystem:releases or s3://bucket/prefix)`},
		{`skein.releases = "s3://"`, `skein.toml:1:18: Invalid value for skein.releases: "s3://" names no place (write filesystem:releases or s3://bucket/prefix)`},
		{`skein.notify.on = ["fail"]`, `skein.toml:1:19: Invalid value for skein.notify.on: "fail" is not one of failed, blocked, done, wave`},
		{`skein.notify.on = ["failled"]`, `skein.toml:1:19: Invalid value for skein.notify.on: "failled" is not one of failed, blocked, done, wave (did you mean failed?)`},
		{`skein.notify.slack = "c4n4ry"`, `skein.toml:1:22: Invalid value for skein.notify.slack: it is no URL of the right kind (write http://… or https://…)`},
		{`skein.notify.smtp = "mail://me:c4n4ry@h"`, `skein.toml:1:21: Invalid value for skein.notify.smtp: it is no URL of the right kind (write smtp://… or smtps://…)`},
		{`skein.notify.to = ["ops"]`, `skein.toml:1:19: Invalid value for skein.notify.to: "ops" is no mail address (write ops@example.com or Ops <ops@example.com>)`},
		{`skein.people.ana = ["ssh-rsa AAAA"]`, `skein.toml:1:20: Invalid value for skein.people.ana: "ssh-rsa AAAA" is no public key of the kind ssh-ed25519, or not all of one (write the line of a file such as ~/.ssh/id_ed25519.pub, which ssh-keygen -t ed25519 makes)`},
		{`skein.people.ana = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAB"]`, `skein.toml:1:20: Invalid value for skein.people.ana: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAB" is no public key of the kind ssh-ed25519, or not all of one (write the line of a file such as ~/.ssh/id_ed25519.pub, which ssh-keygen -t ed25519 makes)`},
		{"[skein.people]\nana = 'ed25519 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE='\nbo = 'ed25519 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= bo@work'",
			`skein.toml:3:6: skein.people.bo has a key of ana (each person has keys of their own)`},
		{"[environments.qa]\n[skein.environments.qa]\npipeline = ['qa']", `skein.toml:3:12: pipeline holds for all environments together (it belongs in [skein])`},
		{"[environments.qa]\n[skein.environments.qa.gates]\nsoka = '1h'", `skein.toml:3:8: Unknown: 'skein.environments.qa.gates.soka' (did you mean skein.environments.qa.gates.soak?)`},
		{`skein.gates = 1`, `skein.toml:1:15: skein.gates must be a table`},
		{`skein.gate.soak = "1h"`, `skein.toml:1:19: Unknown: 'skein.gate.soak' (did you mean skein.gates.soak?)`},
		{"[skein.gates]\n[skein.people]\n[environments.qa]\n[skein.environments.qa.notify]", ``},
	} {
		_, err := loadFile(c.toml)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.toml, got, c.want)
		}
	}
	for _, arg := range []string{"-people.ana=ed25519 x", "-skein.people.ana=x"} {
		if _, err := loadFile("", arg); err == nil {
			t.Errorf("%s: the keys of people are taken from the command line", arg)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "24h": 24 * time.Hour, "2d": 48 * time.Hour, "1d12h30m": 36*time.Hour + 30*time.Minute, "1.5h": 90 * time.Minute, "0d": 0,
	} {
		if got, err := config.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "5", "d", "-1d", "1d-1h", "-1h", "1d2d", "1.5d", "65535d9999999999h", "99999999d", "1 d"} {
		if got, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}
