// Package doctor looks whether a first run would find what it needs: settings, AWS, buckets, secrets, the way to the database,
// the login and its privileges. It only reads, and says of each thing that is wrong what to do. The command line and the
// Lambda function share it: what the function reaches from inside its VPC only the function can tell.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/aws"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
	account "github.com/skein-db/skein/internal/secret/aws"
	"github.com/skein-db/skein/internal/wire"
)

// Status is how a check ended.
type Status string

// The statuses.
const (
	OK        Status = "ok"
	Warning   Status = "warning"
	Failed    Status = "failed"
	Unlooked  Status = "not looked at" // what it depends on has failed
	stepLimit        = 8 * time.Second // of one question to the network
)

// Finding is the result of one check.
type Finding struct {
	Check  string     `json:"check"`
	Status Status     `json:"status"`
	Text   string     `json:"text"`
	Next   string     `json:"next,omitempty"` // what to do
	Kind   skein.Kind `json:"-"`              // of a failure
}

// Patient is what is looked at.
type Patient struct {
	World    wire.World
	Settings *config.Settings
	Engine   skein.Config
	Secrets  *secret.Redactor
	// Now is the clock; nil: the real one.
	Now func() time.Time
}

// examination is one look, check by check.
type examination struct {
	Patient
	found []Finding
}

// Look makes all checks, in an order in which each has what it needs.
func Look(ctx context.Context, p Patient) []Finding {
	if p.Now == nil {
		p.Now = time.Now
	}
	x := &examination{Patient: p}
	x.add(OK, "settings", "environment "+p.Settings.Environment()+", from "+strings.Join(append(p.Settings.Files(), "variables and the command line"), ", "), "")
	x.cloud(ctx)
	x.secrets(ctx)
	x.database(ctx)
	for i := range x.found {
		f := &x.found[i]
		f.Text, f.Next = p.Secrets.String(oneLine(f.Text)), p.Secrets.String(f.Next)
	}
	return x.found
}

// oneLine makes one line of an error that lists several attempts.
func oneLine(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

// Unread is all there is to say where the settings cannot be read.
func Unread(err error) []Finding {
	f := Of("settings", err)
	list := []Finding{f}
	for _, check := range []string{"aws", "buckets", "secrets", "database"} {
		list = append(list, Finding{Check: check, Status: Unlooked, Text: "the settings cannot be read"})
	}
	return list
}

// First is the first failure, nil when there is none.
func First(list []Finding) *Finding {
	for i := range list {
		if list[i].Status == Failed {
			return &list[i]
		}
	}
	return nil
}

// Of is the failure of a check by an error, with the kind and the advice that the error has.
func Of(check string, err error) Finding {
	f := Finding{Check: check, Status: Failed, Text: err.Error(), Next: "running it again is safe", Kind: skein.KindConnection}
	if m, ok := errors.AsType[config.Mistakes](err); ok {
		f.Kind, f.Next = skein.KindConfig, "skein config explain shows where each value comes from"
		if len(m) == 1 && m[0].Hint != "" {
			f.Next = m[0].Hint
		}
		return f
	}
	if e, ok := errors.AsType[*skein.Error](skein.SourceError(err)); ok && e.Kind != skein.KindScript {
		f.Kind, f.Text, f.Next = e.Kind, e.Message, e.Hint
		if f.Next == "" {
			f.Next = "skein config explain shows where each value comes from"
		}
	}
	return f
}

func (x *examination) add(s Status, check, text, next string) {
	x.found = append(x.found, Finding{Check: check, Status: s, Text: text, Next: next})
}

func (x *examination) fail(kind skein.Kind, check, text, next string) {
	x.found = append(x.found, Finding{Check: check, Status: Failed, Text: text, Next: next, Kind: kind})
}

// skip says of checks that they depend on one that has failed.
func (x *examination) skip(why string, checks ...string) {
	for _, check := range checks {
		x.add(Unlooked, check, why, "")
	}
}

// needsAWS says what of the settings asks for AWS, "" when nothing does.
func (x *examination) needsAWS() string {
	for _, ref := range x.Settings.References() {
		if strings.HasPrefix(ref.Scheme, "aws-") {
			return ref.String()
		}
	}
	for _, key := range []string{"locations", "callbackLocations"} {
		for _, item := range x.Settings.List(key) {
			if strings.HasPrefix(strings.ToLower(item), "s3:") {
				return item
			}
		}
	}
	if releases := x.Settings.Text("skein.releases"); strings.HasPrefix(strings.ToLower(releases), "s3:") {
		return releases
	}
	if strings.HasPrefix(x.Settings.Text("url"), "jdbc-secretsmanager:") {
		return "jdbc-secretsmanager:"
	}
	return ""
}

// cloud looks at region, credentials, clock and buckets.
func (x *examination) cloud(ctx context.Context) {
	caller := aws.Caller{Account: account.Account{Env: x.World.Env, Home: x.World.Home}, Now: x.Now}
	needed := x.needsAWS()
	lacks := func(check string, err error) {
		if needed == "" {
			x.add(Warning, check, err.Error()+"; nothing in the settings asks for AWS", "")
			return
		}
		x.fail(skein.KindConfig, check, err.Error()+", and "+needed+" asks for AWS", "set AWS_REGION, and AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role")
	}
	region, err := caller.Region()
	if err != nil {
		lacks("region", err)
		x.skip("no region is known", "credentials", "clock", "buckets")
		return
	}
	x.add(OK, "region", region, "")
	step, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	who, err := caller.WhoAmI(step)
	if _, none := errors.AsType[*aws.NoCredentials](err); none {
		lacks("credentials", err)
		x.skip("there are no credentials", "clock", "buckets")
		return
	}
	e, refused := errors.AsType[*aws.Error](err)
	date := who.Date
	switch {
	case refused && !aws.Busy(err):
		date = e.Date
		x.fail(skein.KindConnection, "credentials", "AWS refuses them: "+e.Error(), "sign in again, or look at AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_REGION and the clock")
	case err != nil:
		x.add(Warning, "credentials", "there are some, and nobody says whose: "+err.Error(), "in a VPC without a way out that is as it should be, unless there is an endpoint for sts")
	default:
		x.add(OK, "credentials", who.ARN+" in account "+who.Account, "")
	}
	x.clock(date)
	if refused && !aws.Busy(err) {
		x.skip("the credentials are refused", "buckets")
		return
	}
	x.buckets(ctx)
}

// clock compares ours with that of AWS, which takes no signature that is five minutes off.
func (x *examination) clock(theirs time.Time) {
	if theirs.IsZero() {
		x.skip("nobody at AWS has told the time", "clock")
		return
	}
	off := x.Now().Sub(theirs).Round(time.Second)
	word := "ahead of"
	if off < 0 {
		word = "behind"
	}
	text := fmt.Sprintf("this machine's clock is %v %s that of AWS", off.Abs(), word)
	switch {
	case off.Abs() >= 5*time.Minute:
		x.fail(skein.KindConnection, "clock", text, "set this machine's clock (chrony, ntpd): signatures that are five minutes off are refused")
	case off.Abs() >= time.Minute:
		x.add(Warning, "clock", text, "set this machine's clock: signatures that are five minutes off are refused")
	default:
		x.add(OK, "clock", text, "")
	}
}

// buckets looks at the places in S3.
func (x *examination) buckets(ctx context.Context) {
	list, client, err := wire.Buckets(x.Settings, x.World)
	if err != nil {
		x.found = append(x.found, Of("buckets", err))
		return
	}
	if len(list) == 0 {
		x.add(OK, "buckets", "neither locations nor releases are in S3", "")
	}
	for _, b := range list {
		step, cancel := context.WithTimeout(ctx, 2*stepLimit)
		found, err := client.Look(step, b.At)
		late := step.Err() != nil && ctx.Err() == nil
		cancel()
		what := b.Key + " " + b.At.String()
		if err != nil {
			if late {
				x.fail(skein.KindConnection, "bucket", what+": S3 does not answer", "in a VPC there has to be a gateway endpoint for S3, in the route table of the subnets")
				continue
			}
			f := Of("bucket", err)
			f.Text = b.Key + ": " + f.Text
			x.found = append(x.found, f)
			continue
		}
		objects := fmt.Sprintf(": %d objects", found.Objects)
		if found.More {
			objects += " and more"
		}
		switch {
		case found.Objects == 0 && !b.Store:
			x.fail(skein.KindConfig, "bucket", what+": there is nothing below it", "correct the prefix; aws s3 ls shows what there is")
		case found.Objects == 0:
			x.add(Warning, "bucket", what+": there is no release yet", "skein release create and skein release push make one")
		case found.Versioning == "":
			x.add(Warning, "bucket", what+objects+"; whether it keeps versions could not be seen", "allow s3:GetBucketVersioning on the bucket, or look yourself: aws s3api get-bucket-versioning")
		case found.Versioning != "Enabled":
			x.add(Warning, "bucket", what+objects+"; it keeps no versions ("+found.Versioning+")", "turn versioning on: an object that is replaced then does not stop a deployment")
		default:
			x.add(OK, "bucket", what+objects+", listed and read; versions are kept", "")
		}
	}
}

// secrets asks each reference of the settings, and tells names only.
func (x *examination) secrets(ctx context.Context) {
	refs := 0
	for _, ref := range x.Settings.References() {
		if ref.Scheme == config.IAMScheme {
			continue // a token is signed here, and what it is worth the login tells
		}
		refs++
		step, cancel := context.WithTimeout(ctx, 2*stepLimit)
		err := x.World.Ask(step, x.Settings, ref, x.Secrets)
		cancel()
		name := ref.Setting + " = " + ref.String()
		if err != nil {
			next := ref.Origin.String()
			if h, ok := errors.AsType[interface {
				error
				Hint() string
			}](err); ok {
				next = h.Hint()
			} else if strings.HasPrefix(ref.Scheme, "aws-") {
				next = "correct the name, give the role the permission, and in a VPC there has to be an endpoint for the service"
			}
			x.fail(skein.KindConfig, "secret", name+": "+err.Error(), next)
			continue
		}
		x.add(OK, "secret", name+" is there", "")
	}
	if refs == 0 {
		x.add(OK, "secrets", "the settings refer to none", "")
	}
}
