package migration

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestDigest: approvals are bound to these bytes, so they stay what fmt made of them.
func TestDigest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,20}`))
		sum := rapid.Int32().Draw(t, "checksum")
		r := Row{
			Rank: rapid.Int().Draw(t, "rank"), Version: Version{rapid.SampledFrom([]string{"", "1", "2026.11.1"}).Draw(t, "version")}, Description: text.Draw(t, "description"),
			Type: TypeSQL, Script: text.Draw(t, "script"), Checksum: rapid.SampledFrom([]*int32{nil, &sum}).Draw(t, "sum"), Success: rapid.Bool().Draw(t, "success"),
		}
		var got bytes.Buffer
		r.digest(&got)
		if want := fmt.Sprintf("row %d %q %q %s %q %s %t\n", r.Rank, r.Version, r.Description, r.Type, r.Script, sumText(r.Checksum), r.Success); got.String() != want {
			t.Fatalf("%q, want %q", got.String(), want)
		}
	})
}
