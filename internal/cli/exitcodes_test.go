package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for i, c := range ExitCodes {
		if c.Code != i || c.Name == "" || c.Meaning == "" || (c.Next == "") != (i == 0) {
			t.Errorf("entry %d: %+v", i, c)
		}
	}
	// Each kind has the entry of its own name.
	for k := skein.KindInternal; k <= skein.KindTimeout; k++ {
		if got := ExitCodes[codeOf(k)].Name; got != k.String() {
			t.Errorf("kind %s ends with the code of %s", k, got)
		}
	}
	if last := codeOf(skein.KindTimeout); last != len(ExitCodes)-1 {
		t.Errorf("%d codes for kinds up to %d", len(ExitCodes), last)
	}
	if exitInvalid != codeOf(skein.KindValidate) {
		t.Error("a validation that fails in JSON and one that fails in text differ")
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{&skein.Error{Kind: skein.KindLock}, 6},
		{fmt.Errorf("wrapped: %w", &skein.Error{Kind: skein.KindSQL}), 5},
		{config.Mistakes{{Text: "x"}}, 2},
		{&usageError{Message: "x"}, 2},
		{context.Canceled, 9},
		{errors.New("what"), 1},
	} {
		if got := exitCode(c.err, false); got != c.want {
			t.Errorf("%v ends with %d, want %d", c.err, got, c.want)
		}
		if got, want := exitCode(c.err, true), min(c.want, 1); got != want {
			t.Errorf("under flyway %v ends with %d, want %d", c.err, got, want)
		}
	}
}
