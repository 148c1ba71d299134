package config

import (
	"io/fs"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func convertFiles(files map[string]string, env []string, paths ...string) (Converted, error) {
	return Convert(Input{WorkDir: "/w", Env: env, IsDir: func(string) bool { return false }, ReadFile: func(path string) ([]byte, error) {
		if text, ok := files[strings.TrimPrefix(path, "/w/")]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}}, paths)
}

func TestConvert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, file, text, want, not, wrong string }{
		{name: "url with password", text: "flyway.url=jdbc:postgresql://h/d?user=a&password=s3cr%40t&ssl=true\n",
			want: `url = "jdbc:postgresql://h/d?user=a&password=${env.DB_URL_PASSWORD}&ssl=true"`, not: "s3cr"},
		{name: "userinfo", text: "flyway.url=postgres://a:s3cret@h/d\n", want: `"postgres://a:${env.DB_URL_PASSWORD}@h/d"`, not: "s3cret"},
		{name: "variable", text: "flyway.user=${WHO}-x\n", want: `user = "${env.WHO}-x"`},
		{name: "password from variable", text: "flyway.password=${PW}\n", want: `password = "${env.PW}"`},
		{name: "half a variable", text: "flyway.password=s3cret${PW}\n", want: `password = "${env.DB_PASSWORD}"`, not: "s3cret"},
		{name: "list from variable", text: "flyway.schemas=${A},b\n", want: `schemas = "${env.A},b"`},
		{name: "number from variable", text: "flyway.connectRetries=${N}\n", want: `connectRetries = "${env.N}"`},
		{name: "reference that was none", text: "flyway.placeholders.a=${vault.x}\n", want: `"a" = "$${vault.x}"`},
		{name: "secret placeholder", text: "flyway.placeholders.apiKey=s3cret\n", want: `"apiKey" = "${env.APIKEY}"`, not: "s3cret"},
		{name: "environment's name", file: "flyway-prod.conf", text: "flyway.user=a\nflyway.mixed=true\n", want: "[flyway]\nenvironment = \"prod\"\nmixed = true\n\n[environments.prod]\nuser = \"a\"\n"},
		{name: "java", text: "flyway.resolvers=org.example.R\n", want: `migrationResolvers = ["org.example.R"]`},
		{name: "no patterns", text: "flyway.ignoreMigrationPatterns=\n", want: `ignoreMigrationPatterns = ""`},
		{name: "twice", text: "# one\nflyway.user=a\n# two\nflyway.user=b\n", want: "# one\n# two\nuser = \"b\"\n", not: `"a"`},
		{name: "secret in a comment", text: "# flyway.password=s3cret\n# flyway.url=postgres://a:s3cret@h/d\nflyway.user=a\n", want: "flyway.password (its value was left out)", not: "s3cret"},
		{name: "quotes", text: `flyway.placeholders.a=c:\x "y"` + "\n", want: `"a" = "c:\\x \"y\""`},
		{name: "wrong value", text: "flyway.mixed=perhaps\n", wrong: "flyway.conf:1: Invalid value for mixed"},
		{name: "inside another", text: "flyway.user=a\nflyway.installedBy=${0.${A}\n", wrong: "flyway.conf:2: installedBy cannot be said in TOML with the same meaning: installedBy: a resolver inside a resolver"},
		{name: "same environment", text: "", file: "x/flyway.conf,y/flyway.conf", wrong: "would be the environment default, and so is x/flyway.conf"},
	} {
		paths := strings.Split(c.file, ",")
		if c.file == "" {
			paths = []string{"flyway.conf"}
		}
		files := map[string]string{}
		for _, p := range paths {
			files[p] = c.text
		}
		got, err := convertFiles(files, nil, paths...)
		switch {
		case c.wrong != "":
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v; want %s", c.name, err, c.wrong)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case !strings.Contains(got.Text, c.want), c.not != "" && strings.Contains(got.Text+strings.Join(got.Notes, "\n"), c.not):
			t.Errorf("%s:\n%s\nwant %s", c.name, got.Text, c.want)
		}
	}
}

// TestConvertedIsTheSame: Convert compares what it made with what was there, so it must not fail; and passwords must
// not get through. The comparison itself is tried below.
func TestConvertedIsTheSame(t *testing.T) {
	t.Parallel()
	text := rapid.StringMatching(`[ -~é€]{0,12}(\$\{[A-Z]{1,3}\})?[ -~]{0,6}`)
	rapid.Check(t, func(t *rapid.T) {
		conf := func(name string) string {
			var b strings.Builder
			for _, key := range rapid.SliceOfN(rapid.SampledFrom([]string{
				"user", "initSql", "defaultSchema", "placeholders.a", "placeholders.B", "jdbcProperties.x", "schemas", "installedBy", "baselineDescription",
			}), 0, 6).Draw(t, name) {
				b.WriteString("# " + text.Draw(t, "comment") + "\nflyway." + key + "=" + strings.TrimRight(text.Draw(t, key), `\ `) + "\n")
			}
			return b.String() + "flyway.password=s3cret-" + name + "\n"
		}
		files := map[string]string{"flyway.conf": conf("base"), "flyway_QA.conf": conf("qa"), "flyway_p.conf": conf("p")}
		got, err := convertFiles(files, nil, "flyway.conf", "flyway_QA.conf", "flyway_p.conf")
		all := files["flyway.conf"] + files["flyway_QA.conf"] + files["flyway_p.conf"]
		if err != nil && (strings.Contains(all, "$${") || strings.Contains(all, "=!{") || nestedReference().MatchString(all)) && strings.Contains(err.Error(), "cannot be said in TOML") {
			t.Skip("TOML has no way to write a dollar before a reference, nor one inside another, nor a value that begins with !{ and ends with one")
		}
		if err != nil {
			t.Fatalf("%v\n%s\n%v", err, got.Text, files)
		}
		if strings.Contains(got.Text, "s3cret") {
			t.Fatalf("a password got through:\n%s", got.Text)
		}
	})
}

func TestDiffers(t *testing.T) {
	t.Parallel()
	settings := func(conf string) *Settings {
		s, _, err := Load(Input{WorkDir: "/w", IsDir: func(string) bool { return false }, ReadFile: func(path string) ([]byte, error) {
			if path == "/w/flyway.conf" {
				return []byte(conf), nil
			}
			return nil, fs.ErrNotExist
		}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct{ a, b, want string }{
		{"flyway.user=a", "flyway.user=a", ""},
		{"flyway.mixed=TRUE", "flyway.mixed=true", ""},
		{"flyway.user=a", "flyway.user=b", "user"},
		{"flyway.password=a", "flyway.password=b", "password"},
		{"", "flyway.placeholders.x=1", "placeholders.x"},
		{"flyway.schemas=a", "", "schemas"},
	} {
		if got := differs(settings(c.a), settings(c.b)); got != c.want {
			t.Errorf("%s, %s: %q", c.a, c.b, got)
		}
	}
}
