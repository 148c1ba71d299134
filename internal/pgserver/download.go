package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"time"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// EnvRepository names the environment variable with the URL of a Maven
// repository (a mirror) that Download uses in place of the public one.
const EnvRepository = "SKEIN_POSTGRES_REPOSITORY"

// downloadLimit bounds a download whose caller's context has no end.
const downloadLimit = 10 * time.Minute

// downloads are the versions that Download knows, by major.
var downloads = map[int]embedded.PostgresVersion{
	14: embedded.V14, 15: embedded.V15, 16: embedded.V16, 17: embedded.V17, 18: embedded.V18,
}

const newestDownload = 18

// CacheDir is where downloaded binaries and initdb outcomes are kept: "skein" in
// the user's cache folder, or in /var/cache when we are root and the user whom
// root runs PostgreSQL as cannot enter root's.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil || serverAccount().canReach(nearestExisting(dir)) != nil {
		dir, err = systemCacheDir()
	}
	if err != nil {
		return "", fmt.Errorf("find a cache folder: %w", err)
	}
	return filepath.Join(dir, "skein"), nil
}

func nearestExisting(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

// Download fetches PostgreSQL binaries (about 10 to 30 MB) for this system
// into CacheDir, once, and returns them. major 0 is the newest. They carry no
// contrib extensions.
func Download(ctx context.Context, major int, progress func(phase string)) (Installation, error) {
	if major == 0 {
		major = newestDownload
	}
	version, ok := downloads[major]
	if !ok {
		return Installation{}, fmt.Errorf("download PostgreSQL %d: only the majors 14 to %d are known; install it, or set %s", major, newestDownload, EnvBinDir)
	}
	cache, err := CacheDir()
	if err != nil {
		return Installation{}, err
	}
	return download(ctx, cache, version, progress)
}

func download(ctx context.Context, cache string, version embedded.PostgresVersion, progress func(string)) (Installation, error) {
	home := filepath.Join(cache, "postgresql-"+string(version))
	if in, err := Inspect(ctx, filepath.Join(home, "bin")); err == nil {
		return in, nil
	}
	if err := ctx.Err(); err != nil {
		return Installation{}, err
	}
	if progress != nil {
		progress("downloading PostgreSQL " + string(version))
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return Installation{}, fmt.Errorf("download PostgreSQL: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, downloadLimit)
	defer cancel()
	// The library takes no context. When ours ends first its work goes on in a
	// folder of its own, which nobody will look at, until the process ends.
	done := make(chan error, 1)
	go func() { done <- fetch(version, cache, home) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return Installation{}, fmt.Errorf("download PostgreSQL %s: %w; install PostgreSQL, or set %s to the folder of its binaries", version, err, EnvBinDir)
	}
	return Inspect(ctx, filepath.Join(home, "bin"))
}

// fetch unpacks the binaries into a folder beside home and renames it when it is
// whole, so that a process that ends half way leaves no half server.
func fetch(version embedded.PostgresVersion, cache, home string) error {
	work, err := os.MkdirTemp(cache, "download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	unpacked := filepath.Join(work, "postgresql")
	if err := unpack(version, work, unpacked); err != nil {
		return err
	}
	if err := os.Rename(unpacked, home); err != nil {
		if _, other := os.Stat(home); other != nil {
			return err
		}
	}
	return nil
}

// unpack has the library download and extract. It can do so only as the first
// part of starting a server, which we do ourselves (it cannot as root): given a
// data directory with nothing but a version it extracts, then fails to start.
func unpack(version embedded.PostgresVersion, work, to string) error {
	data := filepath.Join(work, "data")
	err := os.Mkdir(data, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(version), 0o600)
	}
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	config := embedded.DefaultConfig().Version(version).Port(uint32(port)).Logger(io.Discard).
		CachePath(filepath.Join(work, "archive")).RuntimePath(filepath.Join(work, "runtime")).
		BinariesPath(to).DataPath(data)
	if url := os.Getenv(EnvRepository); url != "" {
		config = config.BinaryRepositoryURL(url)
	}
	server := embedded.NewDatabase(config)
	err = server.Start()
	defer removeLog(server)
	if err == nil {
		return errors.Join(errors.New("a server started without a data directory"), server.Stop())
	}
	if _, missing := os.Stat(filepath.Join(to, "bin", "postgres"+exeSuffix())); missing == nil {
		return nil
	}
	return err
}

// removeLog removes the log of a server that did not start: the library keeps it open in the system's temporary folder,
// and tells nobody its name.
func removeLog(server *embedded.EmbeddedPostgres) {
	log := reflect.ValueOf(server).Elem().FieldByName("syncedLogger")
	if log.Kind() != reflect.Pointer || log.IsNil() {
		return
	}
	if f := log.Elem().FieldByName("file"); f.IsValid() && f.Type() == reflect.TypeFor[*os.File]() {
		file := (*os.File)(f.UnsafePointer())
		_ = file.Close() // nothing of ours is in it
		_ = os.Remove(file.Name())
	}
}
