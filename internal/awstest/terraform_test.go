package awstest

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// plugins are folders in which a provider may lie, as `terraform init -plugin-dir` takes them.
var plugins = []string{os.Getenv("TERRAFORM_PLUGINS"), "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"}

// TestTerraformValidate has Terraform itself look at the module, and at one with wrong edits, where it and the provider for
// AWS are on this machine. Elsewhere the module is read by TestTemplatesAreTheSame alone.
func TestTerraformValidate(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("terraform")
	i := slices.IndexFunc(plugins, func(dir string) bool {
		return dir != "" && exists(filepath.Join(dir, "registry.terraform.io/hashicorp/aws"))
	})
	if err != nil || i < 0 {
		t.Skip("left out: terraform, or its provider for AWS, is not here (TERRAFORM_PLUGINS names the folder of the provider)")
	}
	files := moduleFiles(t)
	if found := validated(t, program, plugins[i], files); len(found) > 0 {
		t.Errorf("the module as it is: %q", found)
	}
	broken := maps.Clone(files)
	wrong := []struct{ file, from, to, says string }{
		{"main.tf", "memory_size ", "memory_siz ", "memory_siz"},
		{"main.tf", "dead_letter_config {", "dead_letters_config {", "dead_letters_config"},
		{"watch.tf", "period              = 300", `period              = "often"`, "a number is required"},
		{"outputs.tf", "aws_sns_topic.alarms.arn", "aws_sns_topic.alarm.arn", "alarm"},
		{"main.tf", "arn:${local.partition}:lambda:${local.region}", "arn:${local.partitions}:lambda:${local.region}", "partitions"},
	}
	for _, w := range wrong {
		if !strings.Contains(string(broken[w.file]), w.from) {
			t.Fatalf("%s does not have %q", w.file, w.from)
		}
		broken[w.file] = []byte(strings.Replace(string(broken[w.file]), w.from, w.to, 1))
	}
	found := validated(t, program, plugins[i], broken)
	for _, w := range wrong {
		if !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, w.says) }) {
			t.Errorf("terraform does not say %q: %q", w.says, found)
		}
	}
}

// validated gives what Terraform says of a module.
func validated(t *testing.T, program, providers string, files map[string][]byte) []string {
	dir := t.TempDir()
	for name, text := range files {
		write(t, dir, map[string]string{name: string(text)})
	}
	run := func(args ...string) []byte {
		command := exec.Command(program, args...)
		command.Dir, command.Env = dir, append(os.Environ(), "TF_CLI_CONFIG_FILE="+os.DevNull, "CHECKPOINT_DISABLE=1")
		out, err := command.Output()
		if err != nil && args[0] != "validate" {
			t.Fatalf("terraform %v: %v\n%s", args, err, out)
		}
		return out
	}
	run("init", "-backend=false", "-input=false", "-no-color", "-plugin-dir="+providers)
	var answer struct {
		Diagnostics []struct{ Severity, Summary, Detail string }
	}
	if err := json.Unmarshal(run("validate", "-json"), &answer); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, d := range answer.Diagnostics {
		list = append(list, d.Severity+" "+d.Summary+" "+d.Detail)
	}
	return list
}
