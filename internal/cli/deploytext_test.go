package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/pipeline"
)

// Reasons that are the same for several targets are told once, with the targets' names; others are not.
func TestReasonsOfManyTargets(t *testing.T) {
	t.Parallel()
	var reasons []pipeline.Reason
	for _, name := range []string{"t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"} {
		reasons = append(reasons, pipeline.Reason{Gate: pipeline.GateValidate, Target: name, Text: "validate finds a problem on " + name, Details: []string{"checksum of V1"}, Next: "repair it"})
	}
	reasons = append(reasons, pipeline.Reason{Gate: pipeline.GateValidate, Target: "t9", Text: "validate finds a problem on t9", Details: []string{"checksum of V2"}, Next: "repair it"},
		pipeline.Reason{Gate: pipeline.GateFreeze, Text: "a freeze"}, pipeline.Reason{Gate: pipeline.GateFreeze, Text: "a freeze"})
	want := `  validate     validate finds a problem on t1
                 checksum of V1
               next: repair it
               the same for t2, t3, t4, t5, t6 and 2 more
  validate     validate finds a problem on t9
                 checksum of V2
               next: repair it
  freeze       a freeze
  freeze       a freeze
`
	if diff := cmp.Diff(want, reasonsText(reasons)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
