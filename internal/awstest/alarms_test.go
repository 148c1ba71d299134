package awstest

import (
	"testing"
	"time"

	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/pgtest"
)

// TestAlarms has the real function run well and badly, reads the lines that it wrote as CloudWatch does, and asks the alarms
// of both templates about them.
func TestAlarms(t *testing.T) {
	t.Parallel()
	c := Choice{Name: "skein", Bucket: "shop-scripts", Environments: []Environment{
		{Name: "dev", Schedule: "rate(1 hour)", Silence: 2}, {Name: "qa", Schedule: "cron(0 3 1 * ? *)", Silence: 1116},
	}}
	healthy, failed := pgtest.New(t), pgtest.New(t)
	var f *lambdatest.Emulator
	var before []Point // what was there before this test
	r := NewRecorder(t)
	cloudwatch := r.Before(&CloudWatch{Points: func() []Point {
		points, err := Points(f.Logs())
		if err != nil {
			t.Error(err)
		}
		return append(points, before...)
	}})
	f = start(t, map[string]string{
		"skein.toml":           "[environments.dev]\nurl = \"" + healthy.URL + "\"\n[environments.qa]\nurl = \"" + failed.URL + "\"\n[flyway]\nlocations = [\"filesystem:sql\"]\n[environments.qa.flyway]\nlocations = [\"filesystem:sql\", \"filesystem:bad\"]\n",
		"sql/V1__a.sql":        "create table a();",
		"bad/V2__no_table.sql": "insert into nothing values (1);",
	}, lambdatest.Options{Timeout: 20 * time.Second, Env: []string{"AWS_ENDPOINT_URL_CLOUDWATCH=" + cloudwatch}})
	plans := both(t, c)
	states := func(when string, after time.Duration, want map[string]string) {
		t.Helper()
		points, err := Points(f.Logs())
		if err != nil {
			t.Fatal(err)
		}
		for kind, p := range plans {
			for name, state := range want {
				got, err := p.Alarms[name].State(points, time.Now().Add(after))
				if err != nil || got != state {
					t.Errorf("%s, %s: the alarm %s is %s, want %s (%v)", when, kind, name, got, state, err)
				}
			}
		}
	}
	const soon = time.Second
	states("before anything", soon, map[string]string{"skein-silent-dev": Sounds, "skein-failed-dev": OK, "skein-failed-qa": OK})

	ask(t, f, `{"command": "migrate", "environment": "dev"}`, `"status":"succeeded"`)
	ask(t, f, `{"command": "silence", "environment": "dev"}`, "the last run that succeeded was about ")
	ask(t, f, `{"command": "migrate", "environment": "qa"}`, `"status":"failed"`)
	states("a run in each", soon, map[string]string{
		"skein-failed-dev": OK, "skein-failed-qa": Sounds, "skein-silent-dev": OK, "skein-errors": OK,
	})
	states("an hour later", time.Hour+soon, map[string]string{"skein-failed-qa": OK, "skein-silent-dev": OK})
	states("three hours later and nobody has looked", 3*time.Hour, map[string]string{"skein-silent-dev": Sounds})

	// A month is longer than an alarm of CloudWatch can look back.
	before = []Point{{time.Now().Add(-40 * 24 * time.Hour), "Skein", "RunSucceeded", map[string]string{"Environment": "qa"}, 1}}
	ask(t, f, `{"command": "silence", "environment": "qa"}`, "about 96")
	states("40 days ago", soon, map[string]string{"skein-silent-qa": OK})
	before[0].At = time.Now().Add(-50 * 24 * time.Hour)
	states("nobody has looked again", 4*time.Hour, map[string]string{"skein-silent-qa": Sounds})
}

// TestSilenceRefused: who may not ask says what to do, and the alarm sounds because there is no value.
func TestSilenceRefused(t *testing.T) {
	t.Parallel()
	r := NewRecorder(t)
	url := r.Before(&CloudWatch{Refuse: true})
	f := start(t, map[string]string{"skein.toml": "[environments.dev]\nurl = \"postgres://127.0.0.1:1/x\"\n"},
		lambdatest.Options{Timeout: 10 * time.Second, Env: []string{"AWS_ENDPOINT_URL_CLOUDWATCH=" + url}})
	ask(t, f, `{"command": "silence", "environment": "dev"}`, "the role needs cloudwatch:GetMetricStatistics")
	if points, err := Points(f.Logs()); err != nil || len(points) > 0 {
		t.Errorf("%v %v", points, err)
	}
}
