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
	// After the kinds come the ends of a deployment, and then the kind that is younger than they are.
	if got := ExitCodes[codeOf(skein.KindInterrupted)+1:]; len(got) != 4 || got[3].Code != codeOf(skein.KindTimeout) || got[0].Code != exitBlocked || got[1].Code != exitPartly || got[2].Code != exitStopped {
		t.Errorf("after the kinds: %+v", got)
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
