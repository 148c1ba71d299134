package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/source"
)

func (r *runner) signer(ctx context.Context, file string) release.Signer {
	return func(ns string, m []byte) (release.Signature, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return release.Signature{}, err
		}
		k, err := release.ParsePrivateKey(text)
		if err != nil {
			return release.Signature{}, err
		}
		return k.Sign(ns, m)
	}
}

func (r *runner) store(s *config.Settings) (*source.Store, error) {
	return source.FolderStore(filepath.Join(r.process.Dir, strings.TrimPrefix(s.Text("skein.releases"), "filesystem:"))), nil
}
