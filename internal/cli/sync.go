package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/source/s3"
)

// sync brings a local folder to what a prefix in S3 holds.
func (r *runner) sync(ctx context.Context) int {
	s := r.settings
	from, dir := s.Text("sync.from"), s.Text("sync.directory")
	if from == "" || dir == "" {
		return r.fail(&usageError{Message: "sync without a place and a folder", Hint: "write " + r.programName() + " sync s3://bucket/prefix FOLDER"})
	}
	dry := s.Bool("sync.dryRun")
	done, err := wire.Sync(ctx, s, r.shelf().world, from, r.absolute(dir), s3.SyncOptions{Release: s.Text("sync.release"), Delete: s.Bool("sync.delete"), DryRun: dry})
	if err != nil {
		return r.fail(releaseError(err))
	}
	if r.console.json {
		o := object{"operation": "sync", "from": done.From, "directory": r.absolute(dir), "dryRun": dry, "fetched": strs(done.Fetched), "removed": strs(done.Removed),
			"left": strs(done.Left), "hidden": strs(done.Hidden), "kept": done.Kept, "bytes": done.Bytes, "digest": nil, "release": nil}
		if done.Digest != "" {
			o["digest"] = done.Digest
		}
		if done.Release != "" {
			o["release"] = done.Release
		}
		r.document(o)
		return 0
	}
	if n := len(done.Left); n > 0 {
		r.console.warn(fmt.Sprintf("%s in %s that %s does not have: %s; --delete removes them", plural(n, "script"), dir, done.From, some(done.Left, 5)))
	}
	if n := len(done.Hidden); n > 0 {
		r.console.info("%s", fmt.Sprintf("left out, because folders that begin with a dot are: %s", some(done.Hidden, 5)))
	}
	r.console.result(syncText(done, dir, dry), "")
	if !dry {
		r.console.info("%s", "next: "+r.programName()+" migrate -locations=filesystem:"+dir)
	}
	return 0
}

func syncText(done s3.Synced, dir string, dry bool) string {
	var b strings.Builder
	would := ""
	if dry {
		would = "would be "
	}
	for _, part := range []struct {
		word  string
		names []string
	}{{"fetched", done.Fetched}, {"removed", done.Removed}} {
		for _, name := range part.names {
			fmt.Fprintf(&b, "%s%s  %s\n", would, part.word, name)
		}
	}
	what := done.From
	if done.Release != "" {
		what = "release " + done.Release + " in " + done.From
	}
	fmt.Fprintf(&b, "%s to %s: %d %sfetched (%d bytes), %d removed, %d kept", what, dir, len(done.Fetched), would, done.Bytes, len(done.Removed), done.Kept)
	if done.Digest != "" {
		b.WriteString(", " + done.Digest)
	}
	return b.String()
}
