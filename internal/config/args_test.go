package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/config"
)

// The verb of the most words is meant, and the words after it go to its settings in their order.
func TestParseWords(t *testing.T) {
	t.Parallel()
	g := config.Grammar{
		Verbs: []string{"sync", "info", "release list", "aws", "aws schedule set"},
		Words: map[string][]string{"sync": {"sync.from", "sync.directory"}, "aws schedule set": {"schedule.timezone", "schedule.expression"}},
	}
	for _, c := range []struct {
		args, verbs []string
		values      map[string]string
	}{
		{[]string{"sync", "s3://a/b", "info"}, []string{"sync"}, map[string]string{"sync.from": "s3://a/b", "sync.directory": "info"}},
		{[]string{"sync", "s3://a/b", "-sync.delete=true", "my", "folder"}, []string{"sync"}, map[string]string{"sync.from": "s3://a/b", "sync.directory": "my folder", "sync.delete": "true"}},
		{[]string{"info", "release", "list", "info"}, []string{"info", "release list", "info"}, map[string]string{}},
		{[]string{"aws", "schedule", "set", "dev", "rate(1", "hour)"}, []string{"aws schedule set"}, map[string]string{"schedule.timezone": "dev", "schedule.expression": "rate(1 hour)"}},
		{[]string{"aws", "info"}, []string{"aws", "info"}, map[string]string{}},
		{[]string{"aws", "-table=schedule", "info"}, []string{"aws", "info"}, map[string]string{"table": "schedule"}},
	} {
		line, err := config.Parse(c.args, g)
		values := map[string]string{}
		for _, v := range line.Values {
			values[v.Key] = v.Value.Reveal()
		}
		if err != nil || !cmp.Equal(c.verbs, line.Verbs) || !cmp.Equal(c.values, values) {
			t.Errorf("%q: %q %q %v", c.args, line.Verbs, values, err)
		}
	}
	if _, err := config.Parse([]string{"release", "lst"}, g); err == nil {
		t.Error("release lst is taken")
	}
	if _, err := config.Parse([]string{"-sync.from=a", "sync", "b"}, g); err == nil {
		t.Error("a text that is given twice is taken")
	}
}
