// Package s3test gives tests an S3 of their own: versitygw, a real server with real signatures, over a folder.
package s3test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Version is the versitygw that tests run against; .ci/install has the same.
const Version = "v1.8.0"

// Required is the variable that makes a missing versitygw a failure, where checks must not be left out: "required".
const Required = "SKEIN_TEST_S3"

// Server is one versitygw, with the buckets of one test.
type Server struct {
	Endpoint       string // http://127.0.0.1:…
	Region         string
	Access, Secret string // of the owner, who may do everything

	t testing.TB
}

// New starts a server that ends with the test. Where versitygw cannot be had the test is skipped and says so.
func New(t testing.TB) *Server {
	t.Helper()
	return Of(t, "us-east-1", "owner", "owner-secret")
}

// Of is New with a region and an owner of one's own choice: for programs whose credentials are given.
func Of(t testing.TB, region, access, secret string) *Server {
	t.Helper()
	program, err := binary()
	if err != nil {
		if os.Getenv(Required) == "required" {
			t.Fatalf("versitygw: %v", err)
		}
		t.Skipf("no S3 to test with: versitygw: %v", err)
	}
	s := &Server{Region: region, Access: access, Secret: secret, t: t}
	for try := range 5 { // the port was free a moment ago; where there are no extended attributes they lie in files
		if err = s.start(program, try > 1); err == nil {
			return s
		}
	}
	t.Fatalf("versitygw does not start: %v", err)
	return nil
}

// Env is what a program needs to find the server, "NAME=value".
func (s *Server) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL_S3=" + s.Endpoint, "AWS_REGION=" + s.Region, "AWS_ACCESS_KEY_ID=" + s.Access, "AWS_SECRET_ACCESS_KEY=" + s.Secret,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

var installed = sync.OnceValues(install)

// binary is where versitygw is: on the PATH, or built once into the user's cache.
func binary() (string, error) {
	if found, err := exec.LookPath("versitygw"); err == nil {
		return found, nil
	}
	return installed()
}

func install() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	name := "versitygw"
	if runtime.GOOS == "windows" {
		return "", errors.New("it does not run on Windows")
	}
	program := filepath.Join(cache, "skein-test", "versitygw-"+Version, name)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(program), "build")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "install", "github.com/versity/versitygw/cmd/versitygw@"+Version)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("go install: %w: %s", err, lines[len(lines)-1])
	}
	return program, os.Rename(filepath.Join(dir, name), program)
}

func (s *Server) start(program string, sidecar bool) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	_ = listener.Close() // the server takes the port
	dir := s.t.TempDir()
	var folders [4]string
	for i, name := range []string{"root", "versions", "sidecar", "iam"} {
		folders[i] = filepath.Join(dir, name)
		if err := os.MkdirAll(folders[i], 0o755); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	var log bytes.Buffer
	args := []string{"--port", address, "--access", s.Access, "--secret", s.Secret, "--region", s.Region, "--iam-dir", folders[3], "--quiet",
		"posix", "--versioning-dir", folders[1]}
	if sidecar {
		args = append(args, "--sidecar", folders[2])
	}
	cmd := exec.CommandContext(ctx, program, append(args, folders[0])...)
	cmd.Stdout, cmd.Stderr = &log, &log
	endWithParent(cmd)
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // to Linux the parent is the thread, and Go ends threads that are not locked
		defer runtime.UnlockOSThread()
		ended <- cmd.Run()
	}()
	s.Endpoint = "http://" + address
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close() // it answers
			break
		}
		select {
		case err := <-ended:
			stop()
			return fmt.Errorf("%w: %s", err, log.String())
		case <-time.After(5 * time.Millisecond):
		}
	}
	s.t.Cleanup(func() {
		stop()
		<-ended //nolint:errcheck // it was killed
	})
	return nil
}

// Bucket makes a bucket. With versions every object written is kept.
func (s *Server) Bucket(name string, versions bool) {
	s.t.Helper()
	s.Do(http.MethodPut, "/"+name, "")
	if versions {
		s.Do(http.MethodPut, "/"+name+"?versioning", `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>`)
	}
}

// Put writes an object; keys are as people write them.
func (s *Server) Put(bucket, key, text string) {
	s.t.Helper()
	s.Do(http.MethodPut, "/"+bucket+"/"+escape(key), text)
}

// Get reads an object.
func (s *Server) Get(bucket, key string) string {
	s.t.Helper()
	return s.Do(http.MethodGet, "/"+bucket+"/"+escape(key), "")
}

// Delete removes an object.
func (s *Server) Delete(bucket, key string) {
	s.t.Helper()
	s.Do(http.MethodDelete, "/"+bucket+"/"+escape(key), "")
}

// User makes one who may do only what a bucket's policy says, and gives the variables that sign as them.
func (s *Server) User(name string) []string {
	s.t.Helper()
	s.Do(http.MethodPatch, "/create-user", "<Account><Access>"+name+"</Access><Secret>"+name+"-secret</Secret><Role>user</Role></Account>")
	user := *s
	user.Access, user.Secret = name, name+"-secret"
	return user.Env()
}

// Policy says who may do what in a bucket: a document of AWS's.
func (s *Server) Policy(bucket, text string) {
	s.t.Helper()
	s.Do(http.MethodPut, "/"+bucket+"?policy", text)
}

// Do makes a signed request as the owner and gives the answer's body. Any status but 2xx fails the test.
func (s *Server) Do(method, target, body string) string {
	s.t.Helper()
	status, text, err := s.send(method, target, body)
	if err != nil || status > 299 {
		s.t.Fatalf("%s %s: %d %v\n%s", method, target, status, err, text)
	}
	return text
}

// escape writes a key as signatures want it.
func escape(key string) string {
	var b strings.Builder
	for _, c := range []byte(key) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (s *Server) send(method, target, body string) (int, string, error) {
	u, err := url.Parse(s.Endpoint + target)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(context.Background(), method, u.String(), strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.URL.RawPath, _, _ = strings.Cut(target, "?") // as it was escaped above
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Content-Sha256", hash)
	credentials := aws.Credentials{AccessKeyID: s.Access, SecretAccessKey: s.Secret}
	plain := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }
	if err := v4.NewSigner().SignHTTP(request.Context(), credentials, request, hash, "s3", s.Region, time.Now(), plain); err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}
