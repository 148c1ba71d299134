package migration

import (
	"fmt"
	"testing"
)

// manyFiles makes n versioned scripts of about 250 bytes, and the history rows of all but the last ten.
func manyFiles(b *testing.B, n int) ([]File, []Row) {
	files := make([]File, n)
	for i := range files {
		name := fmt.Sprintf("V%d.%d__add_column_%d.sql", 1+i/100, i%100, i)
		files[i] = File{Path: name, Physical: "/srv/sql/" + name,
			Content: fmt.Appendf(nil, "%0120d\nalter table t%d add column c%d text;\n%0100d\n", 0, i, i, 1)}
	}
	resolved, err := Resolve(files, nil, ResolveOptions{})
	if err != nil {
		b.Fatal(err)
	}
	var rows []Row
	for i, s := range resolved.Scripts[:n-10] {
		rows = append(rows, Row{Rank: i + 1, Version: s.Version, Description: s.Description, Type: s.Type, Script: s.Path, Checksum: s.Checksum, Success: true})
	}
	return files, rows
}

func BenchmarkResolve10000(b *testing.B) {
	files, _ := manyFiles(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Resolve(files, nil, ResolveOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReconcile10000(b *testing.B) {
	files, rows := manyFiles(b, 10_000)
	resolved, _ := Resolve(files, nil, ResolveOptions{})
	b.ReportAllocs()
	for b.Loop() {
		entries, err := Reconcile(resolved.Scripts, rows, ReconcileOptions{})
		if err != nil || len(Validate(entries, []IgnorePattern{IgnorePending})) != 0 {
			b.Fatal(err)
		}
	}
}
