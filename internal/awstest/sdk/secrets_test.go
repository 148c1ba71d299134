package sdk

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/skein-db/skein/internal/secret"
	account "github.com/skein-db/skein/internal/secret/aws"
)

const (
	heldSecret    = `{"ARN":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/dev-AbCdEf","CreatedDate":1.764388843123E9,"Name":"shop/dev","SecretString":"{\"password\":\"h\u00e9 \\\\ \\\"\"}","VersionId":"11111111-2222-4333-8444-555555555555","VersionStages":["AWSCURRENT"]}`
	heldParameter = `{"Parameter":{"ARN":"arn:aws:ssm:eu-central-1:123456789012:parameter/shop/pw","DataType":"text","LastModifiedDate":1.764388843123E9,"Name":"/shop/pw","Type":"SecureString","Value":"pass < word & \u20ac","Version":3}}`
)

// secrets are those of Secrets Manager and the parameters of Systems Manager.
func secrets() []row {
	const get = "secretsmanager:GetSecretValue"
	read := func(id string, change ...func(*secretsmanager.GetSecretValueInput, *secretsmanager.Options)) func(*testing.T, aws.Config, []taken) any {
		return func(t *testing.T, c aws.Config, _ []taken) any {
			in := secretsmanager.GetSecretValueInput{SecretId: &id}
			client := secretsmanager.NewFromConfig(c, func(o *secretsmanager.Options) {
				for _, f := range change {
					f(&in, o)
				}
			})
			out, err := client.GetSecretValue(t.Context(), &in)
			return aws.ToString(need(t, out, err).SecretString)
		}
	}
	ask := func(id string) func(*testing.T, account.Account) any {
		return func(t *testing.T, a account.Account) any {
			text, err := a.Read(t.Context(), id)
			return need(t, text, err).Reveal()
		}
	}
	sites := []string{"internal/secret/aws/aws.go secretsManager"}
	replies := map[string][]reply{get: {{body: heldSecret}}}
	const elsewhere = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:shop/dev-AbCdEf"
	return []row{{
		action: get, note: "by name", sites: sites, replies: replies, ours: ask("shop/dev"), theirs: read("shop/dev"),
		broken: func(ctx context.Context, a account.Account) (string, bool) {
			_, err := a.Read(ctx, "shop/dev")
			return wording(err), errors.Is(err, secret.ErrSilent)
		},
		failing: func(ctx context.Context, c aws.Config) error {
			_, err := secretsmanager.NewFromConfig(c).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("shop/dev")})
			return err
		},
	}, {
		action: get, note: "by the ARN of another region", sites: sites, replies: replies, ours: ask(elsewhere),
		theirs: read(elsewhere, func(_ *secretsmanager.GetSecretValueInput, o *secretsmanager.Options) { o.Region = "eu-west-3" }),
	}, {
		action: get, note: "before its last rotation", sites: sites, replies: replies,
		ours: func(t *testing.T, a account.Account) any {
			text, err := a.Previous(t.Context(), "shop/dev")
			return need(t, text, err).Reveal()
		},
		theirs: read("shop/dev", func(in *secretsmanager.GetSecretValueInput, _ *secretsmanager.Options) {
			in.VersionStage = aws.String("AWSPREVIOUS")
		}),
	}, {
		action: "ssm:GetParameter", sites: []string{"internal/secret/aws/aws.go parameterStore"}, replies: map[string][]reply{"ssm:GetParameter": {{body: heldParameter}}},
		ours: func(t *testing.T, a account.Account) any {
			text, err := a.Parameter(t.Context(), "/shop/pw")
			return need(t, text, err).Reveal()
		},
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			out, err := parameter(t.Context(), c)
			return aws.ToString(need(t, out, err).Parameter.Value)
		},
		broken: func(ctx context.Context, a account.Account) (string, bool) {
			_, err := a.Parameter(ctx, "/shop/pw")
			return wording(err), errors.Is(err, secret.ErrSilent)
		},
		failing: func(ctx context.Context, c aws.Config) error {
			_, err := parameter(ctx, c)
			return err
		},
	}}
}

func parameter(ctx context.Context, c aws.Config) (*ssm.GetParameterOutput, error) {
	return ssm.NewFromConfig(c).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/shop/pw"), WithDecryption: aws.Bool(true)})
}

var named = regexp.MustCompile(`(?:^|: )([A-Z]\w+): `)

// wording finds the name of an error in what is said of a secret: three names have words of their own.
func wording(err error) string {
	if err == nil {
		return ""
	}
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "AWS Secrets Manager: "), "AWS Systems Manager: ")
	switch {
	case strings.Contains(text, "there is no such secret"):
		return "ResourceNotFoundException"
	case strings.Contains(text, "there is no such parameter"):
		return "ParameterNotFound"
	case strings.Contains(text, "the permission is"):
		return "AccessDeniedException"
	}
	m := named.FindStringSubmatch(text)
	return cmp.Or(append(m, "", "")[1], "no name")
}
