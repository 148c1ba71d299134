package awstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// terraformVersion is the oldest that deploy/aws/terraform/versions.tf allows. .ci/templates has it too.
const terraformVersion = "1.5.7"

// schemaFile is what the provider that .ci/templates builds knows of AWS.
const schemaFile = "provider/schema.json"

// wrongEdits are edits of the module, each with a piece of what Terraform says to it.
var wrongEdits = []struct{ name, file, from, to, says string }{
	{"name of an argument", "main.tf", "memory_size ", "memory_siz ", `An argument named "memory_siz" is not expected here. Did you mean "memory_size"`},
	{"name of an argument in a block", "main.tf", "maximum_retry_attempts       = 10", "maximum_retries = 10", `An argument named "maximum_retries" is not expected here`},
	{"name of a block", "main.tf", "dead_letter_config {", "dead_letters_config {", `Blocks of type "dead_letters_config" are not expected here`},
	{"name of a dynamic block", "main.tf", `dynamic "vpc_config"`, `dynamic "vpc"`, `Blocks of type "vpc" are not expected here`},
	{"block in the wrong block", "main.tf", `mode = "OFF"`, "mode = \"OFF\"\n    retry_policy {}", `Blocks of type "retry_policy" are not expected here`},
	{"block instead of an argument", "main.tf", "architectures                  = [var.architecture]", "architectures {}", `Blocks of type "architectures" are not expected here. Did you mean to define argument`},
	{"argument instead of a block", "main.tf", "versioning_configuration {", "versioning_configuration = {", `An argument named "versioning_configuration" is not expected here. Did you mean to define a block`},
	{"argument left out", "main.tf", `role                           = aws_iam_role.function.arn`, "", `The argument "role" is required`},
	{"argument left out in a block", "main.tf", `object_ownership = "BucketOwnerEnforced"`, "", `The argument "object_ownership" is required`},
	{"block left out", "main.tf", "  flexible_time_window {\n    mode = \"OFF\"\n  }\n", "", `At least 1 "flexible_time_window" blocks are required`},
	{"block twice", "main.tf", "logging_config {", "logging_config {\n    log_format = \"JSON\"\n  }\n  logging_config {", `No more than 1 "logging_config" blocks are allowed`},
	{"number", "watch.tf", "period              = 300", `period              = "often"`, "a number is required"},
	{"boolean", "main.tf", "eventbridge = true", `eventbridge = "sometimes"`, "a bool is required"},
	{"string", "main.tf", `recursive_loop = "Allow"`, `recursive_loop = ["Allow"]`, "string required"},
	{"list", "main.tf", "[var.architecture]", "var.architecture", "list of string required"},
	{"set", "watch.tf", "[aws_sns_topic.alarms.arn]", `"alarms"`, "set of string required"},
	{"map", "watch.tf", "{ Environment = each.key }", "[each.key]", "map of string required"},
	{"argument that AWS sets", "main.tf", "bucket = var.bucket_name", "bucket = var.bucket_name\n  arn    = \"arn:aws:s3:::scripts\"", `"arn"`},
	{"argument that AWS sets in a block", "main.tf", "logging_config {", "snap_start {\n    apply_on = \"None\"\n    optimization_status = \"On\"\n  }\n  logging_config {", `"optimization_status"`},
	{"type of a resource", "roles.tf", `resource "aws_iam_role_policy" "scheduler"`, `resource "aws_iam_role_polices" "scheduler"`, "aws_iam_role_polices"},
	{"type of a data source", "main.tf", `data "aws_partition" "this"`, `data "aws_partitions" "this"`, "aws_partitions"},
	{"name of a resource", "outputs.tf", "aws_sns_topic.alarms.arn", "aws_sns_topic.alarm.arn", `"aws_sns_topic" "alarm" has not been declared`},
	{"attribute of a resource", "outputs.tf", "aws_lambda_function.this.arn", "aws_lambda_function.this.url", `no argument, nested block, or exported attribute named "url"`},
	{"attribute of a data source", "main.tf", "data.aws_caller_identity.this.account_id", "data.aws_caller_identity.this.account", `no argument, nested block, or exported attribute named "account"`},
	{"name of a local value", "main.tf", "${local.partition}:lambda", "${local.partitions}:lambda", `A local value with the name "partitions" has not been declared`},
	{"name of a variable", "main.tf", "var.code_key", "var.code_keys", `An input variable with the name "code_keys" has not been declared`},
}

// TestTerraformValidate has Terraform itself look at the module, and at it with each of the wrong edits: the version that
// .ci/templates builds, and whichever is on the PATH. What AWS has is known to a real provider in TERRAFORM_PLUGINS, or to
// the one in the folder provider, which knows names, types, blocks and what is required, and no values. Where there is no
// Terraform, the module is read by TestTemplatesAreTheSame alone.
func TestTerraformValidate(t *testing.T) {
	t.Parallel()
	onPath, _ := exec.LookPath("terraform")
	programs := map[string]string{terraformVersion: tool("", "terraform-"+terraformVersion+"/terraform"), "PATH": onPath}
	maps.DeleteFunc(programs, func(_, program string) bool { return program == "" })
	providers := mirror()
	if len(programs) == 0 || providers == "" {
		t.Skipf("left out: terraform (%v) or a provider for AWS (%q) is not here (.ci/templates makes both)", programs, providers)
	}
	for version, program := range programs {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			dir, files := t.TempDir(), map[string]string{}
			for name, text := range moduleFiles(t) {
				files[name] = string(text)
			}
			if version != terraformVersion && tooOld(t, dir, program) {
				t.Skipf("%s is older than %s", program, terraformVersion)
			}
			write(t, dir, files)
			terraform(t, dir, program, "init", "-backend=false", "-input=false", "-no-color", "-plugin-dir="+providers)
			if found := validated(t, dir, program); len(found) > 0 {
				t.Errorf("the module as it is: %q", found)
			}
			for _, w := range wrongEdits {
				if !strings.Contains(files[w.file], w.from) {
					t.Errorf("%s: %s does not have %q", w.name, w.file, w.from)
				}
				write(t, dir, map[string]string{w.file: strings.Replace(files[w.file], w.from, w.to, 1)})
				found := validated(t, dir, program)
				// Another version may say it in other words.
				if len(found) == 0 || version == terraformVersion && !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, w.says) }) {
					t.Errorf("%s: terraform does not say %q: %q", w.name, w.says, found)
				}
				write(t, dir, map[string]string{w.file: files[w.file]})
			}
		})
	}
}

// tooOld reports whether a program of somebody's own may be one that the module does not take.
func tooOld(t *testing.T, dir, program string) bool {
	var is struct {
		Version string `json:"terraform_version"`
	}
	if err := json.Unmarshal(terraform(t, dir, program, "version", "-json"), &is); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(is.Version, "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major < 1 || major == 1 && minor < 5
}

// mirror is a folder with a provider for AWS, as `terraform init -plugin-dir` takes it; "" where there is none.
func mirror() string {
	dirs := []string{os.Getenv("TERRAFORM_PLUGINS"), "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", tool("", "terraform-providers")}
	for _, dir := range dirs {
		if dir != "" && exists(filepath.Join(dir, "registry.terraform.io/hashicorp/aws")) {
			return dir
		}
	}
	return ""
}

// validated gives what Terraform says of the module in a folder.
func validated(t *testing.T, dir, program string) []string {
	t.Helper()
	var answer struct {
		Diagnostics []struct{ Severity, Summary, Detail string }
	}
	if err := json.Unmarshal(terraform(t, dir, program, "validate", "-json"), &answer); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, d := range answer.Diagnostics {
		list = append(list, d.Severity+" "+d.Summary+" "+d.Detail)
	}
	return list
}

// terraform gives what the program prints. It ends with 1 where validate has found something, which what it prints says.
func terraform(t *testing.T, dir, program string, args ...string) []byte {
	t.Helper()
	schema, err := filepath.Abs(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), "SKEIN_TEST_SCHEMA="+schema, "TF_CLI_CONFIG_FILE="+os.DevNull, "CHECKPOINT_DISABLE=1")
	out, err := command.Output()
	if err != nil && args[0] != "validate" {
		t.Fatalf("terraform %v: %v\n%s", args, err, out)
	}
	return out
}
