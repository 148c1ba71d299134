package deploy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/deploy"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/wire"
	"github.com/skein-db/skein/source"
)

// TestDocsProject opens the settings that docs/deploy.md begins with.
func TestDocsProject(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```toml\n(.*?)^```$").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/deploy.md has no settings")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "skein.toml"), block[1], 0o600); err != nil {
		t.Fatal(err)
	}
	world := wire.World{Dir: dir, Env: []string{"PRODUCTION_PASSWORD=x", "SLACK_WEBHOOK=https://chat.example.com/hook"}}
	secrets := &secret.Redactor{}
	environments, warnings, err := world.LoadAll(t.Context(), config.CommandLine{}, "", secrets)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	project, err := deploy.Open(deploy.Options{World: world, Environments: environments, Secrets: secrets,
		Store: func(s *config.Settings) (*source.Store, error) { return wire.Releases(s, world) }})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range project.Pipeline.Environments {
		names = append(names, e.Name)
	}
	production := project.Pipeline.Environments[len(names)-1]
	if got, want := strings.Join(names, " "), "dev qa production"; got != want || len(project.Pipeline.People) != 2 || !production.Production ||
		len(production.Waves) != 3 || production.Gates.Approvals != 1 || production.Gates.Soak != 24*time.Hour || !production.Health {
		t.Errorf("%s: %+v", got, project.Pipeline)
	}
}
