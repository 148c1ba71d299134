// Package git reads scripts from a commit of a git repository, through the git program. No work tree is touched, so the
// branch that is checked out, and what is changed there, do not matter.
package git

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/skein-db/skein/migration"
	"github.com/skein-db/skein/source"
)

// Repository is where to look.
type Repository struct {
	Dir string   // any folder inside it
	Env []string // of the program, "NAME=value"
	// Wanted tells of which files the content matters, by their names without folders; nil: of all.
	Wanted func(name string) bool
}

// Location reads what stands behind "git:", <ref>:<folder>. A ref is what git takes for a commit: a branch, a tag, a
// hash, HEAD~2. The folder is counted from the top of the repository, and from Dir if it begins with "./"; empty is all.
// The commit is looked up by each Load.
func (r Repository) Location(rest string) (descriptor string, from source.Source, err error) {
	ref, folder, _ := strings.Cut(rest, ":")
	if ref == "" || strings.HasPrefix(ref, "-") {
		return "", nil, &source.Error{Reason: source.Wrong, Message: "location git:" + rest + " names no commit", Hint: "write git:<branch, tag or commit>:<folder>"}
	}
	folder = strings.Trim(path.Clean("/"+folder), "/")
	if strings.HasPrefix(rest[len(ref):], ":./") {
		folder = "./" + folder
	}
	return strings.TrimSuffix("git:"+ref+":"+folder, ":"), commit{r, ref, folder}, nil
}

type commit struct {
	Repository
	ref, folder string
}

// entry is a file of a tree.
type entry struct {
	mode, id, path string
	size           int64
}

func (c commit) Load(ctx context.Context) (source.Release, error) {
	id, tree, err := c.find(ctx)
	if err != nil {
		return source.Release{}, err
	}
	location := strings.TrimSuffix("git:"+c.ref+":"+c.folder, ":")
	out := source.Release{Origins: []string{location + " at commit " + id}}
	listed, err := c.run(ctx, "ls-tree", "-r", "-z", "-l", "--full-tree", tree)
	if err != nil {
		return source.Release{}, err
	}
	var read []entry
	for line := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		if line == "" {
			continue
		}
		e, err := parseEntry(line)
		switch {
		case err != nil:
			return source.Release{}, err
		case hidden(e.path):
		case e.mode == "120000":
			out.Warnings = append(out.Warnings, location+": "+e.path+": skipped this link")
		case e.mode == "160000":
			out.Warnings = append(out.Warnings, location+": "+e.path+": skipped this submodule")
		default:
			read = append(read, e)
		}
	}
	slices.SortFunc(read, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	for _, e := range read {
		out.Files = append(out.Files, migration.File{Path: e.path, Location: location, Physical: path.Join("git:"+id[:12]+":"+c.folder, e.path), Version: e.id})
	}
	if err := c.contents(ctx, read, out.Files); err != nil {
		return source.Release{}, err
	}
	return out, nil
}

// find looks up the commit and the folder in it, and tells what is missing.
func (c commit) find(ctx context.Context) (id, tree string, err error) {
	location := strings.TrimSuffix("git:"+c.ref+":"+c.folder, ":")
	missing := func(message, hint string) error {
		return &source.Error{Reason: source.Wrong, Message: "location " + location + ": " + message, Hint: hint}
	}
	out, err := c.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", c.ref+"^{commit}")
	if err != nil {
		if _, failed := errors.AsType[*exec.ExitError](err); !failed {
			return "", "", err
		}
		if _, err := c.run(ctx, "rev-parse", "--git-dir"); err != nil {
			return "", "", missing(fmt.Sprintf("%s is in no git repository: %v", c.Dir, err), "start in a folder of the repository, or set workingDirectory to one")
		}
		return "", "", missing("there is no commit "+c.ref+" in the repository", "fetch it, or correct the name: git branch -a and git tag show those that there are")
	}
	id = strings.TrimSpace(string(out))
	if c.folder == "" {
		return id, id, nil
	}
	if out, err = c.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", id+":"+c.folder); err != nil {
		return "", "", missing(fmt.Sprintf("there is no folder %s in commit %s", c.folder, id[:12]), "it is counted from the top of the repository; begin it with ./ to count from here")
	}
	tree = strings.TrimSpace(string(out))
	if _, err = c.run(ctx, "rev-parse", "--verify", "--quiet", tree+"^{tree}"); err != nil {
		return "", "", missing(c.folder+" is a file", "name the folder that holds it")
	}
	return id, tree, nil
}

// parseEntry reads "<mode> SP <type> SP <id> SP <size> TAB <path>".
func parseEntry(line string) (entry, error) {
	about, name, ok := strings.Cut(line, "\t")
	fields := strings.Fields(about)
	if !ok || len(fields) != 4 {
		return entry{}, fmt.Errorf("git ls-tree gave %q, which is no entry", line)
	}
	e := entry{mode: fields[0], id: fields[2], path: name}
	if fields[3] != "-" {
		var err error
		if e.size, err = strconv.ParseInt(fields[3], 10, 64); err != nil {
			return entry{}, fmt.Errorf("git ls-tree gave %q, which is no entry", line)
		}
	}
	return e, nil
}

// hidden: folders that begin with a dot stay out, as on disk.
func hidden(name string) bool {
	dir := path.Dir(name)
	return dir != "." && strings.HasPrefix(dir, ".") || strings.Contains(dir, "/.")
}

// largest is the size from which on a content is not held, as for files on disk.
const largest = 4 << 20

// pointer is how the stand-in of a large file begins, where git-lfs has the content.
const pointer = "version https://git-lfs.github.com/spec/"

// contents reads all files through one git process.
func (c commit) contents(ctx context.Context, read []entry, files []migration.File) error {
	var ids bytes.Buffer
	var wanted []int
	for i, e := range read {
		switch {
		case c.Wanted != nil && !c.Wanted(path.Base(e.path)):
		case e.size >= largest:
			lasting := context.WithoutCancel(ctx) // it is read when Load has long returned
			files[i].Open = func() (io.ReadCloser, error) { return c.open(lasting, e.id) }
		default:
			ids.WriteString(e.id + "\n")
			wanted = append(wanted, i)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	cmd := c.command(ctx, "cat-file", "--batch")
	cmd.Stdin = &ids
	out, err := cmd.Output()
	if err != nil {
		return told(err)
	}
	all := bufio.NewReader(bytes.NewReader(out))
	for _, i := range wanted {
		head, err := all.ReadString('\n')
		if want := fmt.Sprintf("%s blob %d\n", read[i].id, read[i].size); err != nil || head != want {
			return fmt.Errorf("git cat-file gave %q for %s, not its content", strings.TrimSpace(head), read[i].path)
		}
		content := make([]byte, read[i].size)
		if _, err := io.ReadFull(all, content); err != nil {
			return fmt.Errorf("git cat-file broke off in %s: %w", read[i].path, err)
		}
		if _, err := all.Discard(1); err != nil {
			return fmt.Errorf("git cat-file broke off after %s: %w", read[i].path, err)
		}
		if bytes.HasPrefix(content, []byte(pointer)) {
			return &source.Error{Reason: source.Wrong, Message: files[i].Physical + " is kept by git-lfs: the commit holds a pointer only",
				Hint: "take scripts out of git-lfs, or check the commit out and name the folder: filesystem:<folder>"}
		}
		files[i].Content = content
	}
	return nil
}

// open reads a large file.
func (c commit) open(ctx context.Context, id string) (io.ReadCloser, error) {
	ctx, stop := context.WithCancel(ctx)
	cmd := c.command(ctx, "cat-file", "blob", id)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		return nil, told(err)
	}
	return &piped{out, cmd, stop, nil}, nil
}

// piped is the output of a program, which ends only when the program has ended well.
type piped struct {
	io.Reader
	cmd  *exec.Cmd
	stop context.CancelFunc
	end  error
}

func (p *piped) Read(b []byte) (int, error) {
	if p.end != nil {
		return 0, p.end
	}
	n, err := p.Reader.Read(b)
	if err != nil {
		if p.end = err; errors.Is(err, io.EOF) {
			if failed := p.cmd.Wait(); failed != nil {
				p.end = told(failed)
			}
		}
	}
	return n, p.end
}

// Close ends the program, if it has not ended.
func (p *piped) Close() error {
	p.stop()
	if p.end == nil {
		p.end = io.ErrClosedPipe
		_ = p.cmd.Wait() // it was told to stop
	}
	return nil
}

func (c commit) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = c.Dir
	// No replacements, no locks taken for a look, no questions.
	cmd.Env = append(slices.Clone(c.Env), "GIT_NO_REPLACE_OBJECTS=1", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	return cmd
}

func (c commit) run(ctx context.Context, args ...string) ([]byte, error) {
	out, err := c.command(ctx, args...).Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return out, told(err)
}

// told adds what git said.
func told(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return &source.Error{Reason: source.Wrong, Message: "a location of git takes the git program, which is not here", Hint: "install git, or name a folder: filesystem:<folder>", Err: err}
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && len(failed.Stderr) > 0 {
		return fmt.Errorf("%s: %w", strings.TrimSpace(string(failed.Stderr)), err)
	}
	return err
}
