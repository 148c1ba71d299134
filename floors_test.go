package skein_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

const module = "github.com/skein-db/skein"

// floors is the house plan: each package's floor, by its folder. A package imports only from lower floors;
// a floor-3 child (source/s3) may also import its parent, and sideways lists what else is allowed. A folder
// that is not listed here fails the test, so that a new package is given its place on purpose. The packages
// that only tests use are on top, where no other package can reach them.
var floors = map[string]int{
	"internal/sqlsplit": 0,
	"internal/schedule": 0,
	"internal/schema":   0,

	"migration":        1,
	"internal/txblock": 1,
	"internal/stall":   1,
	"internal/watch":   1,
	"internal/release": 1,

	"adoption":          2,
	"internal/detach":   2,
	"internal/lint":     2,
	"internal/pipeline": 2,

	"source":                3,
	"source/s3":             3,
	"source/git":            3,
	"internal/aurora":       3,
	"internal/postgres":     3,
	"internal/pgserver":     3,
	"internal/process":      3,
	"internal/config":       3,
	"internal/secret":       3,
	"internal/secret/aws":   3,
	"internal/secret/local": 3,
	"internal/secret/vault": 3,
	"internal/store":        3,
	"internal/notify":       3,

	".":            4,
	"internal/aws": 4,

	"internal/rehearse": 5,
	"internal/report":   5,
	"internal/fleet":    5,
	"internal/wire":     5,

	"internal/deploy": 6,
	"internal/doctor": 6,

	"internal/cli":    7,
	"internal/demo":   7,
	"internal/server": 7,
	"internal/lambda": 7,

	"cmd/skein":               8,
	"internal/aurora/refresh": 8,
	"internal/lambda/pack":    8,

	"internal/pgtest":                 9,
	"internal/s3test":                 9,
	"internal/lambda/lambdatest":      9,
	"internal/awstest":                10,
	"internal/pgtest/fetch":           10,
	"internal/conformance":            10,
	"internal/killmatrix":             10,
	"internal/conformance/flywaylive": 11,
}

// sideways are the edges that may know another edge, with the reason. A setting may be a secret, and from the
// moment it is read it has to be of the type that does not print.
var sideways = map[string][]string{
	"internal/config": {"internal/secret"},
	"internal/notify": {"internal/secret"},
}

// What packages on floors 0-2 may not know of the world: they get it as arguments.
var worldly = []string{"context", "os", "net", "log", "syscall", "database/sql", "github.com/jackc"}

// What they may not take from package time: all of these read the clock or wait for it.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// What a user of the library links besides the standard library: pgx and what pgx itself needs.
var linked = []string{"github.com/jackc", "golang.org/x/crypto", "golang.org/x/sync", "golang.org/x/text"}

// The packages that speak to AWS, besides the fronts (floor 6 and up) that wire them.
var cloudy = []string{"source/s3", "internal/secret/aws", "internal/aws", "internal/wire"}

const (
	maxFileLines = 450
	maxFuncLines = 70
)

// Endings of package and type names that say nothing about what is inside.
var emptyWords = []string{"Manager", "Service", "Util", "Utils", "Common", "Base", "Helper"}

func TestFloors(t *testing.T) {
	t.Parallel()
	h, err := readHouse(os.DirFS("."), floors)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.packages) < 2 {
		t.Fatalf("only %d packages found: the test does not see the module", len(h.packages))
	}
	for _, f := range h.faults() {
		t.Error(f)
	}
}

// TestFloorsCanFail runs the same checks over small trees, each with a rule broken on purpose: the file want of
// each tree lists what must be found, and nothing else may be.
func TestFloorsCanFail(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("testdata/floors/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no trees in testdata/floors (%v)", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			tree, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			fsys, want := fstest.MapFS{}, ""
			for _, f := range tree.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				fsys[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			if diff := cmp.Diff(want, faultsOf(t, fsys)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFloorsSizes(t *testing.T) {
	t.Parallel()
	file := func(lines int) string { return "package source\n" + strings.Repeat("// line\n", lines-1) }
	function := func(lines int) string {
		return "package source\n\n// f has a comment, which does not count.\nfunc f() {" + strings.Repeat("\n", lines-1) + "}\n"
	}
	tree := fstest.MapFS{
		"source/fits.go":      {Data: []byte(file(450))},
		"source/fits_func.go": {Data: []byte(function(70))},
		"source/long.go":      {Data: []byte(file(451))},
		"source/long_func.go": {Data: []byte(function(71))},
	}
	want := "source/long.go: 451 lines, at most 450\nsource/long_func.go:4:1: function of 71 lines, at most 70\n"
	if diff := cmp.Diff(want, faultsOf(t, tree)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// faultsOf gives the faults of a tree, one a line.
func faultsOf(t *testing.T, tree fs.FS) string {
	t.Helper()
	h, err := readHouse(tree, floors)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range h.faults() {
		fmt.Fprintln(&out, f)
	}
	return out.String()
}

// house is the module as its source files say it is.
type house struct {
	floors   map[string]int
	packages map[string]*room // by folder, "." for the root
	fset     *token.FileSet
}

type room struct {
	files   []*ast.File
	imports map[string]token.Position // the first place of each import
}

// readHouse parses every Go file that is not a test, whatever its build constraints, outside testdata and
// nested modules.
func readHouse(fsys fs.FS, floors map[string]int) (*house, error) {
	h := &house{floors: floors, packages: map[string]*room{}, fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return h.skip(fsys, name)
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return h.add(name, src)
	})
	return h, err
}

func (h *house) skip(fsys fs.FS, dir string) error {
	base := path.Base(dir)
	if dir == "." {
		return nil
	}
	if base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (h *house) add(name string, src []byte) error {
	f, err := parser.ParseFile(h.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	r := h.packages[dir]
	if r == nil {
		r = &room{imports: map[string]token.Position{}}
		h.packages[dir] = r
	}
	r.files = append(r.files, f)
	for _, spec := range f.Imports {
		p := strings.Trim(spec.Path.Value, "\"`")
		if _, seen := r.imports[p]; !seen {
			r.imports[p] = h.fset.Position(spec.Pos())
		}
	}
	return nil
}

// faults lists what breaks the plan, package by package.
func (h *house) faults() []string {
	var out []string
	for _, dir := range slices.Sorted(maps.Keys(h.packages)) {
		floor, ok := h.floors[dir]
		if !ok {
			out = append(out, fmt.Sprintf("%s: no floor: give the package its place in floors_test.go", dir))
			continue
		}
		r := h.packages[dir]
		for _, p := range slices.Sorted(maps.Keys(r.imports)) {
			if msg := h.badImport(dir, floor, p); msg != "" {
				out = append(out, fmt.Sprintf("%s: %s (floor %d) %s", r.imports[p], dir, floor, msg))
			}
		}
		for _, f := range r.files {
			if floor <= 2 {
				out = append(out, h.clockFaults(f)...)
			}
			out = append(out, h.sizeFaults(f)...)
			out = append(out, h.nameFaults(f)...)
		}
	}
	return append(out, h.linkFaults()...)
}

func (h *house) badImport(dir string, floor int, p string) string {
	if to, ours := local(p); ours {
		below, ok := h.floors[to]
		switch {
		case !ok:
			return "" // its own folder is reported, or the compiler does
		case below < floor, slices.Contains(sideways[dir], to),
			below == 3 && floor == 3 && strings.HasPrefix(dir, to+"/"):
			return ""
		}
		return fmt.Sprintf("imports %s (floor %d): imports go down only", to, below)
	}
	if floor <= 2 && under(p, worldly) {
		return fmt.Sprintf("imports %s: floors 0-2 get what they need of the world as arguments", p)
	}
	if under(p, []string{"github.com/aws"}) && floor < 7 && !slices.Contains(cloudy, dir) {
		return fmt.Sprintf("imports %s: only %s and the fronts speak to AWS", p, strings.Join(cloudy, ", "))
	}
	return ""
}

// linkFaults follows the root package's imports through the module (AT-21).
func (h *house) linkFaults() []string {
	var out []string
	seen, queue := map[string]bool{".": true}, []string{"."}
	for len(queue) > 0 {
		dir := queue[0]
		queue = queue[1:]
		r := h.packages[dir]
		if r == nil {
			continue
		}
		for _, p := range slices.Sorted(maps.Keys(r.imports)) {
			to, ours := local(p)
			switch {
			case ours && !seen[to]:
				seen[to] = true
				queue = append(queue, to)
			case !ours && strings.Contains(strings.SplitN(p, "/", 2)[0], ".") && !under(p, linked):
				out = append(out, fmt.Sprintf("%s: package skein would link %s: its users get pgx and the standard library only",
					r.imports[p], p))
			}
		}
	}
	return out
}

// clockFaults finds every mention of a clock function of package time, called or handed on, under whatever
// name the file imports it.
func (h *house) clockFaults(f *ast.File) []string {
	var names, out []string
	for _, spec := range f.Imports {
		if spec.Path.Value != `"time"` {
			continue
		}
		switch {
		case spec.Name == nil:
			names = append(names, "time")
		case spec.Name.Name == ".":
			out = append(out, fmt.Sprintf("%s: import . \"time\" hides the clock", h.fset.Position(spec.Pos())))
		default:
			names = append(names, spec.Name.Name)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(names, x.Name) && slices.Contains(clock, sel.Sel.Name) {
			out = append(out, fmt.Sprintf("%s: time.%s on floors 0-2: the time is an argument", h.fset.Position(sel.Pos()), sel.Sel.Name))
		}
		return true
	})
	return out
}

func (h *house) sizeFaults(f *ast.File) []string {
	var out []string
	file := h.fset.File(f.Pos())
	if n := file.LineCount(); n > maxFileLines {
		out = append(out, fmt.Sprintf("%s: %d lines, at most %d", file.Name(), n, maxFileLines))
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.FuncDecl, *ast.FuncLit:
		default:
			return true
		}
		// the position of a declaration is its func keyword: its comment does not count
		if lines := file.Line(n.End()) - file.Line(n.Pos()) + 1; lines > maxFuncLines {
			out = append(out, fmt.Sprintf("%s: function of %d lines, at most %d", h.fset.Position(n.Pos()), lines, maxFuncLines))
		}
		return true
	})
	return out
}

func (h *house) nameFaults(f *ast.File) []string {
	var out []string
	check := func(kind string, id *ast.Ident) {
		for _, w := range emptyWords {
			if strings.EqualFold(id.Name, w) || strings.HasSuffix(id.Name, w) {
				out = append(out, fmt.Sprintf("%s: %s %s: a name that says nothing (%s)", h.fset.Position(id.Pos()), kind, id.Name, strings.ToLower(w)))
			}
		}
	}
	check("package", f.Name)
	for _, d := range f.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range gen.Specs {
			if ts, ok := s.(*ast.TypeSpec); ok {
				check("type", ts.Name)
			}
		}
	}
	return out
}

// local gives the folder of a package of this module.
func local(p string) (string, bool) {
	if p == module {
		return ".", true
	}
	return strings.CutPrefix(p, module+"/")
}

// under reports whether p is one of the roots or inside one.
func under(p string, roots []string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return p == r || strings.HasPrefix(p, r+"/") })
}
