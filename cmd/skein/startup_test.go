package main

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What the packages that are linked do before main is paid by every run, also by one with nothing to do, which takes
// about ten milliseconds. Their time cannot be tested on a machine that is at work, what they allocate meanwhile can: the
// dear ones make tables. Whoever links another such package has to measure it (make start-up) and to say here what it is
// for, or to do without: a service client of an SDK costs a millisecond where the SDK's core costs nearly nothing.
var dearAtStart = map[string]string{
	"github.com/skein-db/skein/internal/config": "the table of the settings",
	"golang.org/x/text/encoding/ianaindex":      "names of encodings",
	"golang.org/x/text/encoding/htmlindex":      "names of encodings",
	"github.com/lib/pq":                         "embedded-postgres, for the demo",
	"github.com/xi2/xz":                         "embedded-postgres, for the demo",
	"encoding/xml":                              "the standard library, brought by the AWS core",
	"encoding/gob":                              "aws-lambda-go's net/rpc, which its tag lambda.norpc leaves out of the function",
	"net/rpc":                                   "aws-lambda-go, likewise",
	"html/template":                             "the page of a report",
	"unicode":                                   "the standard library",
	"testing":                                   "this test",
}

const (
	dearBytes  = 8 << 10
	dearAllocs = 60
	dearInAll  = 448 << 10 // bytes
)

func TestLittleIsDoneBeforeMain(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.list=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	line := regexp.MustCompile(`^init (\S+) @.* clock, (\d+) bytes, (\d+) allocs$`)
	packages, all := 0, 0
	for text := range strings.Lines(string(out)) {
		m := line.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			continue
		}
		bytes, _ := strconv.Atoi(m[2]) // they are digits
		allocs, _ := strconv.Atoi(m[3])
		packages++
		all += bytes
		if (bytes > dearBytes || allocs > dearAllocs) && dearAtStart[m[1]] == "" && m[1] != "runtime" {
			t.Errorf("%s allocates %d bytes in %d pieces before main: see dearAtStart", m[1], bytes, allocs)
		}
	}
	if packages == 0 {
		t.Fatalf("the runtime told nothing:\n%s", out)
	}
	if all > dearInAll {
		t.Errorf("%d packages allocate %d bytes before main, more than %d", packages, all, dearInAll)
	}
	t.Logf("%d packages, %d bytes", packages, all)
}
