package sdk

import (
	"os"
	"strings"
	"testing"
)

// TestVersions: what the program links is here in the version that the program has it in, so that it is the program's own
// signer and the program's own code that are held against the SDK.
func TestVersions(t *testing.T) {
	t.Parallel()
	here, compared := required(t, "go.mod"), 0
	for name, version := range required(t, "../../../go.mod") {
		if other, ok := here[name]; ok && other != version {
			t.Errorf("%s is %s here and %s in the program", name, other, version)
		} else if ok {
			compared++
		}
	}
	if compared < 10 {
		t.Errorf("only %d modules were compared", compared)
	}
}

// required are the modules of a go.mod and their versions.
func required(t *testing.T, file string) map[string]string {
	text, err := os.ReadFile(file)
	found := map[string]string{}
	for line := range strings.Lines(string(need(t, text, err))) {
		if words := strings.Fields(line); len(words) > 1 && strings.HasPrefix(words[1], "v") && line[0] == '\t' {
			found[words[0]] = words[1]
		}
	}
	return found
}
