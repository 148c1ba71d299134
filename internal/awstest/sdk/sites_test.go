package sdk

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/awstest"
)

const module = "github.com/skein-db/skein"

// carriers sign and send what others have made, or have a test of their own.
var carriers = map[string]string{
	"internal/lambda/ssm.go ssm":         "it sends what sendCommand and invocation make",
	"internal/secret/aws/aws.go ask":     "it sends what secretsManager and parameterStore say",
	"internal/secret/aws/call.go Do":     "it sends what ask makes, and what the functions of internal/aws and of the Lambda function do",
	"internal/secret/aws/token.go Token": "TestToken: nothing is sent",
	"source/s3/client.go request":        "it sends what page, versioning, begin and put make",
	"source/s3/client.go send":           "as request",
}

// TestEveryCallHasItsRow: whatever in the product makes a call to AWS, and whatever its policies allow because it does, is among
// the operations here. The credentials of containers and machines are asked for by the SDK itself (credentials.go), and those of
// a profile by the aws command.
func TestEveryCallHasItsRow(t *testing.T) {
	t.Parallel()
	rowed, acted := map[string]bool{}, map[string]bool{}
	for _, r := range rows() {
		acted[r.action] = true
		for _, s := range r.sites {
			rowed[s] = true
		}
	}
	made, err := sites(os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(merged(rowed, carriers))), made); diff != "" {
		t.Errorf("the product makes other calls than there are rows (+ has none, - is not there any more): %s", diff)
	}
	text, err := os.ReadFile("../testdata/calls.json")
	if err != nil {
		t.Fatal(err)
	}
	var claimed []awstest.Call
	if err := json.Unmarshal(text, &claimed); err != nil || len(claimed) == 0 {
		t.Fatal(err)
	}
	for _, c := range claimed {
		if !acted[c.Action] {
			t.Errorf("the policies are for %s, and there is no row for it", c.Action)
		}
	}
}

func merged(a map[string]bool, b map[string]string) map[string]bool {
	for name := range b {
		a[name] = true
	}
	return a
}

// TestSitesAreFound: a call that somebody adds is seen, in whatever way it is made.
func TestSitesAreFound(t *testing.T) {
	t.Parallel()
	found, err := sites(fstest.MapFS{
		"internal/new/a.go":         {Data: []byte("package n\nimport cloud \"" + module + "/internal/aws\"\nfunc (x *t) one() { do(&cloud.Call{}) }\n")},
		"internal/new/b.go":         {Data: []byte("package n\nimport \"github.com/aws/aws-sdk-go-v2/aws/signer/v4\"\nfunc two() { v4.NewSigner() }\n")},
		"internal/new/c.go":         {Data: []byte("package n\nimport \"github.com/aws/aws-sdk-go-v2/service/sqs\"\nfunc three() { sqs.New(sqs.Options{}) }\n")},
		"internal/new/d.go":         {Data: []byte("package n\ntype Call struct{}\nfunc none() { _ = Call{} }\n")},
		"internal/aws/a.go":         {Data: []byte("package aws\nfunc four() { c.Do(Call{}) }\nvar none = 1\n")},
		"internal/secret/aws/a.go":  {Data: []byte("package aws\nimport \"net/http\"\nvar five = api{}\nfunc six() { http.NewRequest() }\nfunc nine() { s.Do(Call{}) }\n")},
		"internal/new/e.go":         {Data: []byte("package n\nimport account \"" + module + "/internal/secret/aws\"\nfunc ten() { do(account.Call{}) }\n")},
		"source/s3/a.go":            {Data: []byte("package s3\nfunc seven() { c.do(call{}) }\n")},
		"internal/lambda/a.go":      {Data: []byte("package lambda\nfunc eight() { s.ssm(1) }\n")},
		"internal/lambda/a_test.go": {Data: []byte("package lambda\nfunc none() { s.ssm(1) }\n")},
	})
	want := []string{"internal/aws/a.go four", "internal/lambda/a.go eight", "internal/new/a.go one", "internal/new/b.go two", "internal/new/c.go the SDK's client github.com/aws/aws-sdk-go-v2/service/sqs",
		"internal/new/e.go ten", "internal/secret/aws/a.go five", "internal/secret/aws/a.go nine", "internal/secret/aws/a.go six", "source/s3/a.go seven"}
	if diff := cmp.Diff(want, found); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// descriptions are the types that say what is to be asked, by the folders of their packages.
var descriptions = map[string][]string{"internal/aws": {"Call"}, "source/s3": {"call"}, "internal/secret/aws": {"api", "Call"}}

// sites lists what in the product makes a call to AWS: "file function".
func sites(tree fs.FS) ([]string, error) {
	found := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case d.IsDir() && (base == "testdata" || strings.HasSuffix(base, "test") || name != "." && base[0] == '.'): // awstest and its like are no part of the product
			return fs.SkipDir
		case path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		inFile(name, f, found)
		return nil
	})
	return slices.Sorted(maps.Keys(found)), err
}

// inFile finds the sites of one file.
func inFile(name string, f *ast.File, found map[string]bool) {
	imported := map[string]string{} // by the name that the file has for it
	for _, spec := range f.Imports {
		p := strings.Trim(spec.Path.Value, `"`)
		as := path.Base(p)
		if spec.Name != nil {
			as = spec.Name.Name
		}
		imported[as] = p
		if strings.HasPrefix(p, "github.com/aws/aws-sdk-go-v2/service/") {
			found[name+" the SDK's client "+p] = true
		}
	}
	dir := path.Dir(name)
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if makes(dir, imported, d) {
				found[name+" "+d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && makes(dir, imported, v) {
					found[name+" "+v.Names[0].Name] = true
				}
			}
		}
	}
}

// makes reports whether a declaration makes a call: describes one, signs one, or builds a request where calls are made.
func makes(dir string, imported map[string]string, in ast.Node) (yes bool) {
	_, cloudy := descriptions[dir]
	ast.Inspect(in, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			switch typ := n.Type.(type) {
			case *ast.Ident:
				yes = yes || slices.Contains(descriptions[dir], typ.Name)
			case *ast.SelectorExpr:
				from := strings.TrimPrefix(imported[fmt.Sprint(typ.X)], module+"/")
				yes = yes || typ.Sel.Name == "Call" && slices.Contains(descriptions[from], "Call")
			}
		case *ast.CallExpr:
			if of, ok := n.Fun.(*ast.SelectorExpr); ok {
				from := imported[fmt.Sprint(of.X)]
				yes = yes || strings.HasSuffix(from, "/aws/signer/v4") || dir == "internal/lambda" && of.Sel.Name == "ssm" ||
					cloudy && from == "net/http" && strings.HasPrefix(of.Sel.Name, "NewRequest")
			}
		}
		return true
	})
	return yes
}
