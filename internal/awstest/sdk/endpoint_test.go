package sdk

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	sdklambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	sdks3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// addressed are the services by their names in addresses, each with a call of the SDK.
var addressed = map[string]func(context.Context, aws.Config) error{
	"secretsmanager": func(ctx context.Context, c aws.Config) error {
		_, err := secretsmanager.NewFromConfig(c).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
		return err
	},
	"ssm": func(ctx context.Context, c aws.Config) error {
		_, err := parameter(ctx, c)
		return err
	},
	"lambda": func(ctx context.Context, c aws.Config) error {
		_, err := sdklambda.NewFromConfig(c).Invoke(ctx, &sdklambda.InvokeInput{FunctionName: aws.String("a")})
		return err
	},
	"scheduler": func(ctx context.Context, c aws.Config) error {
		_, err := scheduler.NewFromConfig(c).ListSchedules(ctx, nil)
		return err
	},
	"monitoring": func(ctx context.Context, c aws.Config) error {
		_, err := statistics(ctx, cloudwatch.NewFromConfig(c))
		return err
	},
	"sts": func(ctx context.Context, c aws.Config) error {
		_, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
		return err
	},
	"s3": func(ctx context.Context, c aws.Config) error { // in the path, since a bucket would stand in the host's name
		_, err := sdks3.NewFromConfig(c, func(o *sdks3.Options) { o.UsePathStyle = true }).ListObjectsV2(ctx, &sdks3.ListObjectsV2Input{Bucket: aws.String("b")})
		return err
	},
}

// caught keeps the address of a request, and sends nothing.
type caught struct{ address string }

func (c *caught) Do(r *http.Request) (*http.Response, error) {
	c.address = r.URL.Scheme + "://" + r.URL.Host
	return nil, errors.New("nothing is sent")
}

// TestEndpoints: calls go where the SDK's go, whatever the region is and wherever another endpoint is named. The SDK reads the
// variables of the process, so nothing else runs meanwhile.
func TestEndpoints(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_CA_BUNDLE", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil { // set and empty is another thing to it
			t.Fatal(err)
		}
	}
	type c struct{ region, variables, file string }
	cases := []c{
		{"eu-central-1", "AWS_ENDPOINT_URL=http://all:1", ""},
		{"eu-central-1", "AWS_ENDPOINT_URL_SECRETS_MANAGER=http://own:1 AWS_ENDPOINT_URL_SSM=http://own:2 AWS_ENDPOINT_URL_CLOUDWATCH=http://own:3 AWS_ENDPOINT_URL_S3=http://own:4 AWS_ENDPOINT_URL=http://all:1", ""},
		{"eu-central-1", "AWS_ENDPOINT_URL_STS=http://own:1 AWS_ENDPOINT_URL_SCHEDULER=http://own:2 AWS_ENDPOINT_URL_LAMBDA=http://own:3", ""},
		{"eu-central-1", "AWS_ENDPOINT_URL_SECRETSMANAGER=http://no:1 AWS_ENDPOINT_URL_MONITORING=http://no:2", ""},
		{"eu-central-1", "AWS_ENDPOINT_URL_STS=http://own:1 AWS_ENDPOINT_URL=http://all:1 AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", ""},
		{"eu-central-1", "AWS_ENDPOINT_URL=http://all:1 AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false", ""},
		{"eu-central-1", "", "[default]\nendpoint_url = http://profile:1\n"},
		{"eu-central-1", "AWS_PROFILE=mine", "[default]\nendpoint_url = http://no:1\n[profile mine]\nregion = x\nservices = local\n[services local]\nsecrets_manager =\n  endpoint_url = http://own:1\nssm =\n  endpoint_url = http://own:2\n[services other]\nsts =\n  endpoint_url = http://no:2\n"},
		{"eu-central-1", "AWS_PROFILE=mine", "[profile mine]\nservices = local\nendpoint_url = http://profile:1\n[services local]\ncloudwatch =\n  endpoint_url = http://own:1\ns3 =\n  x = y\n  endpoint_url = http://own:2\n"},
		{"eu-central-1", "AWS_ENDPOINT_URL=http://all:1", "[default]\nservices = local\n[services local]\nssm =\n  endpoint_url = http://no:2\n"},
		{"eu-central-1", "AWS_ENDPOINT_URL_SSM=http://own:1", "[default]\nendpoint_url = http://profile:1\nignore_configured_endpoint_urls = true\n"},
	}
	for _, region := range []string{"us-east-1", "eu-west-3", "ap-southeast-7", "mx-central-1", "us-gov-west-1", "cn-north-1", "cn-northwest-1", "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1"} {
		cases = append(cases, c{region, "", ""}, c{region, "AWS_USE_FIPS_ENDPOINT=true", ""}, c{region, "AWS_USE_DUALSTACK_ENDPOINT=true", ""},
			c{region, "AWS_USE_FIPS_ENDPOINT=true AWS_USE_DUALSTACK_ENDPOINT=true", ""})
	}
	cases = append(cases, c{"eu-central-1", "", "[default]\nuse_fips_endpoint = true\n"}, c{"eu-central-1", "AWS_PROFILE=mine", "[profile mine]\nuse_dualstack_endpoint = true\n"},
		c{"eu-central-1", "AWS_USE_FIPS_ENDPOINT=false", "[default]\nuse_fips_endpoint = true\n"})
	for i, c := range cases {
		t.Run(c.region+" "+c.variables, func(t *testing.T) {
			file := filepath.Join(dir, "config"+string(rune('a'+i)))
			if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			env := slices.Concat(strings.Fields(c.variables), []string{"AWS_REGION=" + c.region, "AWS_ACCESS_KEY_ID=AKIDEND", "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_CONFIG_FILE=" + file,
				"AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(dir, "none"), "AWS_EC2_METADATA_DISABLED=true"})
			for _, entry := range env {
				name, value, _ := strings.Cut(entry, "=")
				t.Setenv(name, value)
			}
			for service, call := range addressed {
				catch := &caught{}
				cfg, err := sdkconfig.LoadDefaultConfig(t.Context(), sdkconfig.WithRetryMaxAttempts(1))
				cfg.HTTPClient = catch
				if err := call(t.Context(), need(t, cfg, err)); catch.address == "" {
					if service == "s3" && strings.HasPrefix(c.region, "cn-") && strings.Contains(c.variables, "FIPS") {
						continue // it knows that there is none; ours does not find the host
					}
					t.Fatal(err)
				}
				if got, err := as(env).Endpoint(service, c.region); err != nil || got != catch.address {
					t.Errorf("%s: ours go to %s, %v, the SDK's to %s", service, got, err, catch.address)
				}
			}
		})
	}
}

// TestBucketsEndpoints: a bucket is looked for where the SDK looks for it.
func TestBucketsEndpoints(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"us-east-1", "eu-west-3", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "us-iso-east-1"} {
		r := titled(t, "s3:GetBucketVersioning ")
		p := newTape(t, r.replies)
		a, c := as(append(p.env(), "AWS_REGION="+region)), p.config()
		c.Region = region
		r.ours(t, a)
		r.theirs(t, c, nil)
		if both := p.of(r.action); len(both) != 2 || both[0].Host != both[1].Host {
			t.Errorf("%s: %+v", region, both)
		}
	}
}
