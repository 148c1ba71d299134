package source_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

var large = bytes.Repeat([]byte("insert into t values (1);\n"), 5<<20/26)

// scripts are files as a source gives them: two with the same path from two locations, an empty one, one by its name
// only, and a large one.
func scripts() source.Release {
	file := func(path, location string, content []byte) migration.File {
		return migration.File{Path: path, Location: location, Physical: "/" + path, Content: content}
	}
	return source.Release{Files: []migration.File{
		file("V1__a.sql", "filesystem:a", []byte("select 1;\n")),
		file("V1__a.sql.conf", "filesystem:a", []byte("executeInTransaction=false\n")),
		file("beforeMigrate.sql", "filesystem:a", []byte("select 2;\n")),
		file("README.md", "filesystem:a", nil),
		file("beforeMigrate.sql", "filesystem:b", []byte("select 3;\n")),
		file("sub/R__e.sql", "filesystem:b", []byte{}),
		{Path: "V2__large.sql", Location: "filesystem:b", Physical: "/V2__large.sql", Open: func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(large)), nil
		}},
	}}
}

func manifest(t *testing.T, files source.Release) release.Manifest {
	t.Helper()
	list, err := source.Describe(files)
	if err != nil {
		t.Fatal(err)
	}
	m, err := release.Build("2026.11", "ana", "filesystem:a, filesystem:b", time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC), list)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// contents reads all files, by location and path.
func contents(t *testing.T, r source.Release) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, f := range r.Files {
		content := f.Content
		if f.Open != nil {
			body, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			if content, err = io.ReadAll(body); err != nil {
				t.Fatal(err)
			}
			body.Close()
		}
		if content != nil {
			found[f.Location+"/"+f.Path] = string(content)
		}
	}
	return found
}

func TestFolderStore(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "releases")
	store := source.FolderStore(folder)
	if list, err := store.List(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("%v, %v", list, err)
	}
	m := manifest(t, scripts())
	pushed, already, err := store.Push(t.Context(), m, scripts())
	if err != nil || already {
		t.Fatal(already, err)
	}
	got, err := store.Get(t.Context(), "2026.11")
	if diff := cmp.Diff(pushed, got); err != nil || diff != "" {
		t.Fatalf("%v, pushed -, got +:\n%s", err, diff)
	}
	loaded, err := store.Load(t.Context(), got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents(t, scripts()), contents(t, loaded)); diff != "" {
		t.Errorf("pushed -, loaded +:\n%s", diff)
	}
	if last := loaded.Files[len(loaded.Files)-1]; last.Open == nil || last.Content != nil {
		t.Error("the large file is held")
	}
	if loaded.Files[0].Physical != filepath.Join(folder, "2026.11", filepath.FromSlash(got.Scripts[0].Object)) {
		t.Errorf("a person finds it at %s", loaded.Files[0].Physical)
	}

	if _, already, err := store.Push(t.Context(), m, scripts()); err != nil || !already {
		t.Errorf("the same once more: %v, %v", already, err)
	}
	other := scripts()
	other.Files[0].Content = []byte("select 7;\n")
	_, _, err = store.Push(t.Context(), manifest(t, other), other)
	wrong(t, err, source.Refused, "release 2026.11 is in "+folder+" already, with other scripts: it was made by ana")
	_, _, err = store.Push(t.Context(), m, other)
	wrong(t, err, source.Refused, "these are not the scripts of release 2026.11; changed: V1__a.sql")
	_, err = store.Get(t.Context(), "2026.12")
	wrong(t, err, source.Wrong, "there is no release 2026.12 in "+folder)
	_, err = store.Get(t.Context(), "../2026.11")
	wrong(t, err, source.Wrong, "is no name for a release")
	list, err := store.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Problem != "" || list[0].Manifest.Digest != m.Digest {
		t.Errorf("%v, %v", list, err)
	}
}

func wrong(t *testing.T, err error, reason source.Reason, text string) {
	t.Helper()
	e, ok := errors.AsType[*source.Error](err)
	if !ok || e.Reason != reason || !strings.Contains(e.Message, text) || e.Hint == "" {
		t.Errorf("want %d %q, got %#v", reason, text, err)
	}
}

// TestSpoiltRelease changes what lies in a store: none of it is loaded.
func TestSpoiltRelease(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, folder string, m release.Manifest)
		want  string
	}{
		"another content": {func(t *testing.T, folder string, m release.Manifest) {
			replace(t, filepath.Join(folder, m.Scripts[0].Object), "select 7;\n")
		}, "V1__a.sql was changed after the release was made"},
		"a shorter content": {func(t *testing.T, folder string, m release.Manifest) {
			replace(t, filepath.Join(folder, m.Scripts[0].Object), "select")
		}, "V1__a.sql was changed after the release was made"},
		"more in an empty file": {func(t *testing.T, folder string, m release.Manifest) {
			replace(t, filepath.Join(folder, m.Scripts[4].Object), "x")
		}, "sub/R__e.sql was changed after the release was made"},
		"a large file": {func(t *testing.T, folder string, m release.Manifest) {
			replace(t, filepath.Join(folder, m.Scripts[5].Object), string(large[1:])+" ")
		}, "V2__large.sql was changed after the release was made"},
		"a file less": {func(t *testing.T, folder string, m release.Manifest) {
			if err := os.Remove(filepath.Join(folder, m.Scripts[1].Object)); err != nil {
				t.Fatal(err)
			}
		}, "V1__a.sql.conf is gone"},
		"no manifest": {func(t *testing.T, folder string, _ release.Manifest) {
			if err := os.Remove(filepath.Join(folder, source.ManifestName)); err != nil {
				t.Fatal(err)
			}
		}, "2026.11 is no release: its upload was not finished"},
		"half a manifest": {func(t *testing.T, folder string, m release.Manifest) {
			replace(t, filepath.Join(folder, source.ManifestName), string(m.Encode()[:100]))
		}, "not a release's manifest"},
		"another's manifest": {func(t *testing.T, folder string, m release.Manifest) {
			m.Name = "2026.12"
			replace(t, filepath.Join(folder, source.ManifestName), string(m.Encode()))
		}, "it is the manifest of release 2026.12, copied"},
		"a place outside": {func(t *testing.T, folder string, m release.Manifest) {
			m.Scripts[0].Object = source.FilesFolder + "/../../secret"
			replace(t, filepath.Join(folder, source.ManifestName), string(m.Encode()))
		}, "V1__a.sql is not kept in the release"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			store := source.FolderStore(folder)
			m, _, err := store.Push(t.Context(), manifest(t, scripts()), scripts())
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(t, filepath.Join(folder, "2026.11"), m)
			r, err := source.FromStore(store, "2026.11", nil).Load(t.Context())
			wrong(t, err, source.Refused, c.want)
			if len(r.Files) > 0 {
				t.Error("files were given all the same")
			}
		})
	}
}

func replace(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestUnfinishedPush stops before the manifest: what is there is no release, and a second push finishes it.
func TestUnfinishedPush(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	m := manifest(t, scripts())
	if _, _, err := source.NewStore(failing{folder}).Push(t.Context(), m, scripts()); err == nil {
		t.Fatal("it did not stop")
	}
	store := source.FolderStore(folder)
	_, err := store.Get(t.Context(), "2026.11")
	wrong(t, err, source.Refused, "2026.11 is no release: its upload was not finished")
	list, err := store.List(t.Context())
	if err != nil || len(list) != 1 || list[0].Problem == "" {
		t.Errorf("%v, %v", list, err)
	}
	if _, already, err := store.Push(t.Context(), m, scripts()); err != nil || already {
		t.Error(already, err)
	}
	if _, err := store.Get(t.Context(), "2026.11"); err != nil {
		t.Error(err)
	}
}

// failing is a folder whose disk is full when the manifest comes.
type failing struct{ folder string }

func (f failing) Keys(context.Context, string) ([]string, error) { return nil, nil }
func (f failing) Open(context.Context, string, string) (io.ReadCloser, string, error) {
	return nil, "", fs.ErrNotExist
}

func (f failing) Put(_ context.Context, key string, c source.Content, _ bool) (string, error) {
	if strings.HasSuffix(key, source.ManifestName) {
		return "", errors.New("no space left")
	}
	r, err := c.Open()
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	file := f.Place(key)
	return "", errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, text, 0o600))
}
func (f failing) Place(key string) string { return filepath.Join(f.folder, filepath.FromSlash(key)) }

// TestPushersAtOnce: of many who push different releases under one name, one wins, and what it pushed is whole.
func TestPushersAtOnce(t *testing.T) {
	t.Parallel()
	store := source.FolderStore(t.TempDir())
	var group sync.WaitGroup
	won := make(chan string, 8)
	for i := range 8 {
		group.Go(func() {
			files := source.Release{Files: []migration.File{{Path: "V1__a.sql", Content: []byte{byte('a' + i)}}}}
			list, err := source.Describe(files)
			if err != nil {
				t.Error(err)
				return
			}
			m, err := release.Build("x", "ana", "", time.Unix(0, 0), list)
			if err != nil {
				t.Error(err)
				return
			}
			if _, _, err := store.Push(context.WithoutCancel(t.Context()), m, files); err == nil {
				won <- m.Digest
			} else {
				wrong(t, err, source.Refused, "already, with other scripts")
			}
		})
	}
	group.Wait()
	close(won)
	if len(won) != 1 {
		t.Fatalf("%d won", len(won))
	}
	m, err := store.Get(t.Context(), "x")
	if err != nil || m.Digest != <-won {
		t.Fatalf("%v: the one who was told so did not win", err)
	}
	if _, err := store.Load(t.Context(), m); err != nil {
		t.Error(err)
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := source.FolderStore(folder)
	m, _, err := store.Push(t.Context(), manifest(t, scripts()), scripts())
	if err != nil {
		t.Fatal(err)
	}
	a := release.Approval{Format: release.Format, Release: "2026.11", Digest: m.Digest, Environment: "production", Person: "ana", Given: m.Created, Expires: m.Created}
	if err := store.PutApproval(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	list, err := store.Approvals(t.Context(), "2026.11")
	if diff := cmp.Diff([]release.Approval{a}, list); err != nil || diff != "" {
		t.Errorf("%v, put -, got +:\n%s", err, diff)
	}
	if err := store.PutApproval(t.Context(), a); err != nil {
		t.Errorf("the same once more: %v", err)
	}
	again := a
	again.Targets = []release.ApprovedTarget{{Name: "north"}}
	if err := store.PutApproval(t.Context(), again); err != nil {
		t.Errorf("another in the same second: %v", err)
	}
	if list, err := store.Approvals(t.Context(), "2026.11"); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	a.Digest = "sha256:other"
	wrong(t, store.PutApproval(t.Context(), a), source.Refused, "the approval is for sha256:other")
	a.Release = "2026.12"
	wrong(t, store.PutApproval(t.Context(), a), source.Wrong, "there is no release 2026.12")
	if list, err := store.Approvals(t.Context(), "2026.12"); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	replace(t, filepath.Join(folder, "2026.11", "approvals", list[0].ApprovalName()), "{}")
	_, err = store.Approvals(t.Context(), "2026.11")
	wrong(t, err, source.Refused, "not an approval")
	wrong(t, store.PutApproval(t.Context(), list[0]), source.Refused, "and is not that approval")
	if all, err := store.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("approvals stand in the way: %v, %v", all, err)
	}
}
