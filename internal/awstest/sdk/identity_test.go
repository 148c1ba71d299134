package sdk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	ours "github.com/skein-db/skein/internal/aws"
	account "github.com/skein-db/skein/internal/secret/aws"
)

const (
	heldIdentity = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:sts::123456789012:assumed-role/skein/i-0</Arn>
    <UserId>AROAEXAMPLE:i-0</UserId>
    <Account>123456789012</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata><RequestId>11111111-2222-4333-8444-555555555555</RequestId></ResponseMetadata>
</GetCallerIdentityResponse>`
	heldWebIdentity = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>system:serviceaccount:shop:skein</SubjectFromWebIdentityToken>
    <Audience>sts.amazonaws.com</Audience>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/skein/skein</Arn><AssumedRoleId>AROAEXAMPLE:skein</AssumedRoleId></AssumedRoleUser>
    <Credentials><SessionToken>session&amp;token</SessionToken><SecretAccessKey>secret/key</SecretAccessKey><Expiration>2026-11-29T04:00:00Z</Expiration><AccessKeyId>ASIAPOD</AccessKeyId></Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`
)

// identities are the questions to STS.
func identities() []row {
	const who, pod = "sts:GetCallerIdentity", "sts:AssumeRoleWithWebIdentity"
	return []row{{
		action: who, sites: []string{"internal/aws/identity.go WhoAmI"}, replies: map[string][]reply{who: {{body: heldIdentity}}},
		ours: func(t *testing.T, a account.Account) any {
			id, err := ours.Caller{Account: a}.WhoAmI(t.Context())
			return need(t, id.Account+" "+id.ARN, err)
		},
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			out, err := sts.NewFromConfig(c).GetCallerIdentity(t.Context(), nil)
			out = need(t, out, err)
			return *out.Account + " " + *out.Arn
		},
		broken: func(ctx context.Context, a account.Account) (string, bool) {
			_, err := ours.Caller{Account: a}.WhoAmI(ctx)
			return ofService(err)
		},
		failing: func(ctx context.Context, c aws.Config) error {
			_, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
			return err
		},
	}, {
		action: pod, sites: []string{"internal/secret/aws/credentials.go webIdentity"}, replies: map[string][]reply{pod: {{body: heldWebIdentity}}},
		ours: func(t *testing.T, a account.Account) any {
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte(a.Variable("AWS_ACCESS_KEY_ID")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			a.Env = append(a.Env, "AWS_ACCESS_KEY_ID=", "AWS_WEB_IDENTITY_TOKEN_FILE="+token, "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/skein")
			c, err := a.Credentials(t.Context())
			return fmt.Sprint(c.AccessKeyID, c.SecretAccessKey, c.SessionToken, need(t, "", err))
		},
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			in := &sts.AssumeRoleWithWebIdentityInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/skein"), RoleSessionName: aws.String("skein")}
			id, err := c.Credentials.Retrieve(t.Context())
			in.WebIdentityToken = aws.String(need(t, id, err).AccessKeyID)
			out, err := sts.NewFromConfig(c).AssumeRoleWithWebIdentity(t.Context(), in)
			k := need(t, out, err).Credentials
			return fmt.Sprint(*k.AccessKeyId, *k.SecretAccessKey, *k.SessionToken, "")
		},
	}}
}

// ofService is the name of an error of internal/aws, and whether the same call may succeed in a moment.
func ofService(err error) (string, bool) {
	e, ok := errors.AsType[*ours.Error](err)
	if !ok {
		return fmt.Sprint(err), false
	}
	return e.Kind, ours.Busy(err)
}
