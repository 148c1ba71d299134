// Package config turns flags, environment variables, .toml and .conf files into
// settings that each know where they came from. It prints nothing and asks
// nothing; the environment is an argument.
//
// Precedence, low to high: defaults, files (installation, home, current and
// working directory, then those named by FLYWAY_CONFIG_FILES and -configFiles),
// environment variables, command line, secrets of vault.secrets. Scalars overwrite, lists replace each
// other when not empty, maps merge by key.
package config

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/skein-db/skein/internal/secret"
)

// Input is the world as Load sees it.
type Input struct {
	Args CommandLine
	// Env is the process environment as os.Environ returns it.
	Env []string
	// OwnVariables are SKEIN_ variables that other parts of the program read,
	// so that they are not reported as unknown.
	OwnVariables []string
	// WorkDir is the process's current directory, absolute. HomeDir is the
	// user's; InstallDir is the one of the executable, of which only conf/ and
	// sql/ matter. "" leaves either out.
	WorkDir, HomeDir, InstallDir string
	// Stdin is what -configFiles=- reads; nil is empty.
	Stdin io.Reader
	// Resolve answers ${git.…}, ${vault.…}, ${localSecret.…} and
	// ${awsSecretsManager.…}; nil makes each of them a mistake.
	Resolve func(Reference) (secret.Text, error)
	// Fields reads a secret of vault.secrets, whose fields are settings; nil
	// makes that setting a mistake. Resolver is "vault", Key the path, Settings
	// those of vault.*.
	Fields func(Reference) (map[string]secret.Text, error)
	// ReadFile and IsDir default to the operating system's. ReadFile's error
	// for a missing file must be fs.ErrNotExist.
	ReadFile func(path string) ([]byte, error)
	IsDir    func(path string) bool
}

// Load reads every source and returns the settings in effect. The error is
// Mistakes: everything that is wrong, each with its place; the settings are then
// nil. Warnings are returned in either case.
func Load(in Input) (*Settings, []Warning, error) {
	if in.ReadFile == nil {
		in.ReadFile = os.ReadFile
	}
	if in.IsDir == nil {
		in.IsDir = func(path string) bool {
			info, err := os.Stat(path)
			return err == nil && info.IsDir()
		}
	}
	var f findings
	s := load(in, &f)
	f.sort()
	if err := f.mistakes.err(); err != nil {
		return nil, f.warnings, err
	}
	return s, f.warnings, nil
}

func load(in Input, f *findings) *Settings {
	r := &reader{in: in, read: map[string]content{}}
	args := argLayers(in.Args)
	early := mergeLayers(nil, envLayers(in.Env, true, in.OwnVariables, &findings{}), args, "default")
	get := func(key string) string {
		if e, ok := early[key]; ok {
			return e.value.String()
		}
		return ""
	}
	if dir := get("workingDirectory"); dir != "" {
		r.workDir = dir
		if !filepath.IsAbs(dir) {
			r.workDir = filepath.Join(in.WorkDir, dir)
		}
	}
	fromEnv, fromArgs := r.namedPlaces(args)
	places, modern := r.choose(fromEnv, fromArgs, f)
	// The variable of the encoding wins over the flag, as with Flyway.
	charset := get("configFileEncoding")
	for _, name := range []string{"SKEIN_CONFIG_FILE_ENCODING", "FLYWAY_CONFIG_FILE_ENCODING"} {
		if v, ok := environ(in.Env).lookup(name); ok && v != "" {
			charset = v
			break
		}
	}
	var files []layer
	for _, p := range places {
		files = append(files, r.load(p, charset, f))
	}
	variables := envLayers(in.Env, modern, in.OwnVariables, f)
	all := append(append(append([]layer{}, files...), variables...), args...)
	env, origin := selectEnvironment(all)
	checkEnvironment(all, env, origin, f)

	s := &Settings{environment: env, modern: modern, entries: mergeLayers(files, variables, args, env), files: places}
	s.shown = make([]string, len(places))
	for i, p := range places {
		s.shown[i] = r.show(p)
	}
	for _, e := range s.entries {
		for _, o := range e.withstood {
			f.warn(o, "%s=true stays, as %s says: it cannot be taken back elsewhere", strings.TrimPrefix(e.name, "skein."), e.origin)
		}
	}
	s.others = otherIdentities(all, env)
	markSecretPlaceholders(s.entries, f)
	values := resolution{entries: s.entries, env: environ(in.Env), ask: in.Resolve, answers: map[string]answer{}}
	values.resolve(modern, f)
	if len(f.mistakes) == 0 { // what cannot be resolved must not be asked for
		vaultSettings(s.entries, in.Fields, f)
	}
	check(s.entries, modern, f)
	defaultLocations(s, r, f)
	absoluteLocations(s, r.workDir)
	return s
}

// namedPlaces reads the two lists of files. SKEIN_CONFIG_FILES replaces
// FLYWAY_CONFIG_FILES; -configFiles adds to either and wins.
func (r *reader) namedPlaces(args []layer) (fromEnv, fromArgs []place) {
	for _, name := range []string{"SKEIN_CONFIG_FILES", "FLYWAY_CONFIG_FILES"} {
		if v, ok := environ(r.in.Env).lookup(name); ok && v != "" {
			fromEnv = r.named(splitList(v), Origin{Kind: FromEnvironment, Name: name})
			break
		}
	}
	for _, l := range args {
		for _, a := range l.assignments {
			if a.key == "configFiles" {
				fromArgs = r.named(a.value.items(), a.origin)
			}
		}
	}
	return fromEnv, fromArgs
}

// defaultLocations fills in the folder sql of the working directory, else of
// the installation, else of the current directory.
func defaultLocations(s *Settings, r *reader, f *findings) {
	if _, given := s.entries["locations"]; given {
		return
	}
	candidates := []string{r.workDir}
	if r.workDir == "" {
		candidates = []string{r.in.InstallDir, r.in.WorkDir}
	}
	for _, dir := range candidates {
		if dir == "" {
			continue
		}
		if sql := filepath.Join(dir, "sql"); r.in.IsDir(sql) {
			s.entries["locations"] = &entry{name: "locations", value: value{isList: true, list: []string{"filesystem:" + sql}}}
			return
		}
	}
	f.warn(Origin{}, "No locations configured and default location 'sql' not found.")
}

// absoluteLocations makes relative filesystem: locations absolute when a
// working directory was set.
func absoluteLocations(s *Settings, workDir string) {
	if workDir == "" {
		return
	}
	for _, key := range []string{"locations", "callbackLocations"} {
		e, ok := s.entries[key]
		if !ok {
			continue
		}
		items := append([]string(nil), e.value.items()...)
		for i, item := range items {
			const prefix = "filesystem:"
			if len(item) > len(prefix) && strings.EqualFold(item[:len(prefix)], prefix) && !filepath.IsAbs(item[len(prefix):]) {
				items[i] = prefix + filepath.Join(workDir, item[len(prefix):])
			}
		}
		e.value = value{isList: true, list: items}
	}
}
