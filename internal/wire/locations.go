package wire

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/release"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/secret/aws"
	"github.com/skein-db/skein/source"
	"github.com/skein-db/skein/source/git"
	"github.com/skein-db/skein/source/s3"
)

// others are the locations that are no folders: commits, S3 and releases.
func (d *door) others(wanted func(string) bool) map[string]func(string) (string, source.Source, error) {
	return map[string]func(string) (string, source.Source, error){
		"git:": git.Repository{Dir: d.from(""), Env: d.world.Env, Wanted: wanted}.Location,
		"s3:": func(rest string) (string, source.Source, error) {
			l, err := s3.ParseLocation(rest)
			if err != nil {
				return "", nil, err
			}
			client, err := d.world.s3()
			if err != nil {
				return "", nil, err
			}
			return l.String(), client.Source(l, s3.Options{Wanted: wanted, Check: d.checkRelease, Bare: d.bare()}), nil
		},
		"release:": func(name string) (string, source.Source, error) {
			store, err := d.releases()
			if err == nil {
				err = release.CheckName(name)
			}
			return "release:" + name, source.FromStore(store, name, d.checkRelease), err
		},
	}
}

// from is the folder that relative paths start from, and what is below it.
func (d *door) from(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	base := d.settings.Text("workingDirectory")
	if !filepath.IsAbs(base) {
		base = filepath.Join(d.world.Dir, base)
	}
	return filepath.Join(base, name)
}

// bare is the rule for a prefix of S3 that is no release. Whoever only looks may look; a deployment takes a release,
// because nobody can tell whether a copy without a manifest is whole.
func (d *door) bare() s3.Bare {
	s := d.settings
	advice := "make a release of it: skein release create, skein release push"
	switch {
	case d.world.Looks:
		return s3.Bare{}
	case s.Bool("skein.production"):
		return s3.Bare{Refused: "it is a bare prefix without a manifest, and production takes releases only", Hint: advice}
	case !s.Bool("skein.allowBarePrefix"):
		return s3.Bare{Refused: "it is a bare prefix without a manifest: nobody can tell whether all scripts are there", Hint: advice + "; or set allowBarePrefix=true"}
	}
	return s3.Bare{Quiet: s.Duration("skein.barePrefixQuiet"), Tell: true}
}

// s3 is the S3 that the variables and files of AWS name.
func (w World) s3() (*s3.Client, error) {
	account := aws.Account{Env: w.Env, Home: w.Home}
	endpoint, err := account.Configured("s3")
	if err != nil {
		return nil, err
	}
	region, err := account.Region()
	if err != nil {
		region = "us-east-1" // S3 tells where a bucket is
	}
	c := s3.Config{Endpoint: endpoint, Region: region, Host: account.Hosts("s3")}
	c.Credentials = func(ctx context.Context) (sdk.Credentials, error) {
		ctx, cancel := context.WithTimeout(ctx, resolverLimit)
		defer cancel()
		return account.Credentials(ctx)
	}
	if c.RootCAs, err = account.Roots(); err != nil {
		return nil, err
	}
	return s3.New(c), nil
}

// Sync brings a folder to what a place in S3, "s3://bucket/prefix", holds. opt says what of it is wanted; the settings
// say what a script is and who may sign releases.
func Sync(ctx context.Context, s *config.Settings, w World, from, dir string, opt s3.SyncOptions) (s3.Synced, error) {
	d := &door{settings: s, world: w}
	prefix, rest, ok := strings.Cut(from, ":")
	if !ok || !strings.EqualFold(prefix, "s3") {
		return s3.Synced{}, config.Mistakes{{Key: "sync.from", Text: fmt.Sprintf("%q is no place in S3", from), Hint: "write s3://bucket/prefix"}}
	}
	l, err := s3.ParseLocation(rest)
	if err != nil {
		return s3.Synced{}, err
	}
	client, err := w.s3()
	if err != nil {
		return s3.Synced{}, err
	}
	opt.Wanted = source.Options{Suffixes: d.naming().Suffixes}.Wanted
	opt.Script = func(name string) bool { return strings.Contains(name, ".") && opt.Wanted(name) } // LICENSE is none
	opt.Check = d.checkRelease
	return client.Sync(ctx, l, dir, opt)
}

// Releases is the store that the setting releases names.
func Releases(s *config.Settings, w World) (*source.Store, error) {
	return (&door{settings: s, world: w}).releases()
}

// CheckRelease refuses a release whose signature is wrong, is nobody's of people, or is missing where signReleases asks for
// one.
func CheckRelease(s *config.Settings, m release.Manifest) error {
	return (&door{settings: s}).checkRelease(m)
}

// releases is the store that the setting names.
func (d *door) releases() (*source.Store, error) {
	text := d.settings.Text("skein.releases")
	if text == "" {
		return nil, config.Mistakes{{Key: "releases", Text: "the setting releases is not set", Hint: "say where releases are kept: -releases=s3://bucket/prefix or -releases=filesystem:releases"}}
	}
	if prefix, rest, ok := strings.Cut(text, ":"); ok && strings.EqualFold(prefix, "s3") {
		l, err := s3.ParseLocation(rest)
		if err != nil {
			return nil, err
		}
		client, err := d.world.s3()
		if err != nil {
			return nil, err
		}
		return client.Store(l), nil
	}
	return source.FolderStore(d.from(strings.TrimPrefix(text, "filesystem:"))), nil
}

// people are those who may sign.
func (d *door) people() release.People { return release.People(d.settings.Lists("skein.people")) }

// checkRelease refuses a release whose signature is wrong, is nobody's of people, or is missing where signReleases asks
// for one.
func (d *door) checkRelease(m release.Manifest) error {
	people := d.people()
	var err error
	switch {
	case m.Signature == nil && !d.settings.Bool("skein.signReleases"):
		return nil
	case len(people) > 0 || d.settings.Bool("skein.signReleases"):
		if err = people.Check(); err == nil {
			err = m.CheckSignature(people)
		}
	default:
		_, err = m.Signer()
	}
	if err == nil {
		return nil
	}
	refused := &source.Error{Reason: source.Refused, Message: err.Error(), Err: err}
	if e, ok := errors.AsType[*release.SignatureError](err); ok {
		refused.Hint = e.Hint
	}
	return refused
}

// Bucket is a place in S3 that the settings name.
type Bucket struct {
	Key   string // of the setting
	At    s3.Location
	Store bool // releases are kept there
}

// Buckets are the places in S3 that the settings name, with the client for them.
func Buckets(s *config.Settings, w World) (list []Bucket, client *s3.Client, err error) {
	for _, key := range []string{"locations", "callbackLocations", "skein.releases"} {
		items := []string{}
		if key == "skein.releases" {
			items = append(items, s.Text(key))
		} else {
			items = s.List(key)
		}
		for _, item := range items {
			prefix, rest, ok := strings.Cut(strings.TrimSpace(item), ":")
			if !ok || !strings.EqualFold(prefix, "s3") {
				continue
			}
			l, err := s3.ParseLocation(rest)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, Bucket{Key: strings.TrimPrefix(key, "skein."), At: l, Store: key == "skein.releases"})
		}
	}
	client, err = w.s3()
	return list, client, err
}

// Ask asks one reference to a secret, and gives what is wrong with it; the secret itself only secrets hears of.
func (w World) Ask(ctx context.Context, s *config.Settings, ref config.SecretRef, secrets *secret.Redactor) error {
	_, err := w.asker(s, secrets)(ctx, ref)
	return err
}
