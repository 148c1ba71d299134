package awstest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	stackFile = "../../deploy/aws/cloudformation.yaml"
	moduleDir = "../../deploy/aws/terraform"
)

// choices are parameters that between them make everything that the templates can make.
var choices = map[string]Choice{
	"least": {Name: "skein", Bucket: "shop-scripts"},
	"most": {
		Name: "skein", Bucket: "shop-scripts", Prefix: "shop/", TimeZone: "Europe/Oslo", Arrival: "migrate", Loop: "self",
		Login: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-*", Key: "arn:aws:kms:eu-central-1:123456789012:key/1",
		DatabaseUser: "arn:aws:rds-db:eu-central-1:123456789012:dbuser:cluster-1/skein", Instance: "i-0123456789abcdef0",
		Subnets: []string{"subnet-1", "subnet-2"}, Groups: []string{"sg-1"},
		Environments: []Environment{
			{Name: "dev", Schedule: "cron(0 2 1 * ? *)", Silence: 1116}, {Name: "qa", Schedule: "cron(0 3 1 * ? *)", Silence: 1116, Command: "deploy"},
		},
	},
	"loop": {
		Name: "skein", Bucket: "shop-scripts", Loop: "stepfunctions", Environments: []Environment{{Name: "dev", Schedule: "rate(1 hour)", Silence: 2}},
	},
}

func stackText(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile(stackFile)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func moduleFiles(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(moduleDir + "/*.tf")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files in %s (%v)", moduleDir, err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// both reads both templates.
func both(t testing.TB, c Choice) map[string]*Plan {
	t.Helper()
	stack, err := CloudFormation(stackText(t), c)
	if err != nil {
		t.Fatalf("cloudformation.yaml: %v", err)
	}
	module, err := Terraform(moduleFiles(t), c)
	if err != nil {
		t.Fatalf("terraform: %v", err)
	}
	return map[string]*Plan{"cloudformation": stack, "terraform": module}
}

// TestTemplatesAreTheSame compares what both make, with each choice of parameters.
func TestTemplatesAreTheSame(t *testing.T) {
	t.Parallel()
	for name, c := range choices {
		plans := both(t, c)
		for _, p := range plans {
			if p.Function.Reserved != 2 || len(p.Alarms) < 6 || len(p.Roles["lambda"]) < 5 || len(p.Schedules) < 2 {
				t.Errorf("%s: too little was read: %+v", name, p)
			}
			for _, list := range p.Roles {
				slices.SortFunc(list, func(a, b Statement) int { return strings.Compare(a.Sid, b.Sid) })
			}
		}
		if diff := cmp.Diff(plans["cloudformation"], plans["terraform"]); diff != "" {
			t.Errorf("%s: - CloudFormation, + Terraform\n%s", name, diff)
		}
	}
}

// TestNoSecret looks for what a secret in a template would look like: parameters or values of that kind.
func TestNoSecret(t *testing.T) {
	t.Parallel()
	texts := moduleFiles(t)
	texts["cloudformation.yaml"] = stackText(t)
	for name, text := range texts {
		for _, word := range []string{"password", "NoEcho", "AKIA", "BEGIN ", "token", "postgres://", "postgresql://", "resolve:"} {
			if strings.Contains(strings.ToLower(string(text)), strings.ToLower(word)) {
				t.Errorf("%s says %q", name, word)
			}
		}
	}
}
