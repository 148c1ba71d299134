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
	"cmp"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
	// Mode tells the permissions of a file that a reference names; by default the operating system's, and on Windows
	// none.
	Mode func(path string) (fs.FileMode, error)
	// Secret answers references in vault.token and resolvers.vault.token, which are needed while settings are loaded;
	// nil makes them a mistake. What Asker says holds for it too.
	Secret func(SecretRef) (secret.Text, error)
}

// Load reads every source and returns the settings in effect. The error is
// Mistakes: everything that is wrong, each with its place; the settings are then
// nil. Warnings are returned in either case.
func Load(in Input) (*Settings, []Warning, error) {
	in = in.withDefaults()
	var f findings
	l := read(in, false, &f)
	env, origin := selectEnvironment(l.all())
	checkEnvironment(l.all(), env, origin, &f)
	s := l.settle(env, givenLayers{l.variables, l.args}, &f)
	f.sort()
	if err := f.mistakes.err(); err != nil {
		return nil, f.warnings, err
	}
	return s, f.warnings, nil
}

func (in Input) withDefaults() Input {
	if in.ReadFile == nil {
		in.ReadFile = os.ReadFile
	}
	if in.IsDir == nil {
		in.IsDir = func(path string) bool {
			info, err := os.Stat(path)
			return err == nil && info.IsDir()
		}
	}
	if in.Mode == nil {
		in.Mode = permissions
	}
	return in
}

// permissions are those of a file. Windows has none of this kind.
func permissions(path string) (fs.FileMode, error) {
	if runtime.GOOS == "windows" {
		return 0, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// loaded is what all sources say, before an environment is chosen.
type loaded struct {
	reader *reader
	places []place
	modern bool
	files  []layer
	givenLayers
}

// givenLayers are what comes from outside the files.
type givenLayers struct{ variables, args []layer }

func (l *loaded) all() []layer { return slices.Concat(l.files, l.variables, l.args) }

// read reads every source. several: the files flyway_X.conf are each about an environment.
func read(in Input, several bool, f *findings) *loaded {
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
	l := &loaded{reader: r, places: places, modern: modern}
	for _, p := range places {
		l.files = append(l.files, r.load(p, charset, f))
	}
	if several {
		perEnvironment(places, l.files, r, f)
	}
	l.givenLayers = givenLayers{envLayers(in.Env, modern, in.OwnVariables, f), args}
	return l
}

// settle makes the settings of one environment.
func (l *loaded) settle(env string, given givenLayers, f *findings) *Settings {
	in := l.reader.in
	files := slices.DeleteFunc(slices.Clone(l.files), func(one layer) bool { return one.only != "" && one.only != env })
	s := &Settings{environment: env, modern: l.modern, entries: mergeLayers(files, given.variables, given.args, env)}
	for i, p := range l.places {
		if one := l.files[i]; one.only == "" || one.only == env {
			s.files, s.shown = append(s.files, p), append(s.shown, l.reader.show(p))
		}
	}
	before := len(f.mistakes)
	for _, e := range s.entries {
		for _, o := range e.withstood {
			f.warn(o, "%s=true stays, as %s says: it cannot be taken back elsewhere", strings.TrimPrefix(e.name, "skein."), e.origin)
		}
	}
	s.others = otherIdentities(append(slices.Concat(files, given.variables), given.args...), env)
	markSecretPlaceholders(s.entries, f)
	values := resolution{entries: s.entries, env: environ(in.Env), ask: in.Resolve, secret: in.Secret, answers: map[string]answer{}}
	values.resolve(l.modern, f)
	if len(f.mistakes) == before { // what cannot be resolved must not be asked for
		vaultSettings(s.entries, in, f)
	}
	check(s.entries, l.modern, f)
	l.reader.checkFiles(s.entries, f)
	defaultLocations(s, l.reader, f)
	absoluteLocations(s, l.reader.workDir)
	return s
}

// checkFiles warns of files of secrets that everybody on the machine can read.
func (r *reader) checkFiles(entries map[string]*entry, f *findings) {
	s := Settings{entries: entries}
	for _, ref := range s.References() {
		if ref.Scheme != FileScheme {
			continue
		}
		mode, err := r.in.Mode(r.absolute(ref.Name))
		if err == nil && mode.IsRegular() && mode.Perm()&0o004 != 0 {
			f.warn(ref.Origin, "everybody on this machine can read the file of %s, %s (chmod o-r)", ref.Setting, ref.Name)
		}
	}
}

// absolute is a path as references to files mean it.
func (r *reader) absolute(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && r.in.HomeDir != "" {
		return filepath.Join(r.in.HomeDir, rest)
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(cmp.Or(r.workDir, r.in.WorkDir), path)
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
	f.warn(Origin{}, noLocations)
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
