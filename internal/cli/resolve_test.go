package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Vault is asked where the settings say, with their token and in their namespace: for vault.secrets by vault.*, for
// ${vault.…} by the environment's resolvers.vault.*.
func TestVaultIsAskedAsTheSettingsSay(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Path+" "+r.Header.Get("X-Vault-Token")+" "+r.Header.Get("X-Vault-Namespace"))
		fields := map[string]string{"/v1/kv/settings": `"flyway.table":"from_vault"`, "/v1/kv/shop": `"key":"from-the-resolver"`}
		fmt.Fprint(w, `{"data":{`+fields[r.URL.Path]+`}}`)
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	text := fmt.Sprintf(`[environments.default]
url = "postgres://127.0.0.1:1/none"
password = "${vault.shop/key}"
[environments.default.resolvers.vault]
url = "%s/v1"
token = "of-the-resolver"
namespace = "inner"
engineName = "kv"
engineVersion = "v1"
[flyway]
locations = ["filesystem:sql"]
[flyway.vault]
url = "%s/v1"
token = "of-the-settings"
namespace = "outer"
secrets = ["kv/settings"]
`, server.URL, server.URL)
	if err := os.WriteFile(filepath.Join(dir, "skein.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	code := Main(t.Context(), Process{Args: []string{"skein", "config", "explain"}, Dir: dir, Home: dir, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr})
	if code != 0 || !strings.Contains(stdout.String(), "(vault:kv/settings)") || strings.Contains(stdout.String(), "from-the-resolver") {
		t.Errorf("exit %d\n%s%s", code, &stdout, &stderr)
	}
	slices.Sort(asked)
	if diff := cmp.Diff([]string{"/v1/kv/settings of-the-settings outer", "/v1/kv/shop of-the-resolver inner"}, asked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
