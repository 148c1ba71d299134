package sdk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	watched "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	parameters "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/skein-db/skein/internal/awstest"
	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/lambda/lambdatest"
	"github.com/skein-db/skein/internal/s3test"
	account "github.com/skein-db/skein/internal/secret/aws"
)

// stage is something that answers by itself: an emulator of others, or one of ours.
type stage struct {
	name string
	// set makes it ready and gives its account, for ours and for the SDK.
	set func(*testing.T) (account.Account, aws.Config)
	// left is what is there when the call has been made; nil: nobody looks.
	left func(*testing.T, aws.Config) any
}

// without are rows that no stage is for.
var without = map[string]string{
	"secretsmanager:GetSecretValue by the ARN of another region": "the end of an ARN is of chance there",
	"ssm:GetCommandInvocation that succeeded":                    "TestHost has it, with a program that is there",
	"lambda:InvokeFunction for later":                            "TestFunction",
	"lambda:InvokeFunction whether it may":                       "TestFunction",
	"s3:ListBucket in a bucket with a dot":                       "it is about the names of hosts",
	"s3:GetObject that breaks off":                               "nothing breaks off there; source/s3 has it between itself and a real server",
	"s3:GetObjectVersion ":                                       "the versions are of chance there; source/s3 has it with a real server",
}

// changes are the operations that cannot be asked for twice, and chance those whose answers are never the same.
var (
	changes = regexp.MustCompile(":(Create|Update|Delete|Put|Send)")
	chance  = map[string]bool{"sts:AssumeRoleWithWebIdentity": true, "s3:PutObject": true}
)

// TestStages has both sides ask the same of the same stage, each of a fresh one: what they read, and what is there
// afterwards, is the same. So the imitations that the product's tests speak to are known to speak as the services do.
func TestStages(t *testing.T) {
	ready := stages(t)
	for _, r := range rows() {
		list := ready[r.action]
		if _, ok := without[r.title()]; ok {
			continue
		}
		if len(list) == 0 {
			t.Errorf("%s: no stage", r.title())
		}
		for _, s := range list {
			t.Run(r.title()+" at "+s.name, func(t *testing.T) {
				a, c := s.set(t)
				said := r.ours(t, a)
				var after, left any
				if s.left != nil {
					after = s.left(t, c)
				}
				if changes.MatchString(r.action) { // else it is the same stage
					_, c = s.set(t)
				}
				read := r.theirs(t, c, nil)
				if s.left != nil {
					left = s.left(t, c)
				}
				if fmt.Sprint(said) == "" || fmt.Sprint(said, after) != fmt.Sprint(read, left) && !chance[r.action] {
					t.Errorf("\nours:    %v, then %v\nthe SDK: %v, then %v", said, after, read, left)
				}
			})
		}
	}
}

func stages(t *testing.T) map[string][]stage {
	moto := motoStages(t)
	own := stage{name: "the fake", set: ownScheduler, left: standing}
	list := map[string][]stage{
		"ssm:SendCommand": {{name: "a host", set: host}}, "ssm:GetCommandInvocation": {{name: "a host", set: host}},
		"cloudwatch:GetMetricStatistics": {{name: "the fake", set: func(t *testing.T) (account.Account, aws.Config) {
			points := []awstest.Point{{Namespace: lambda.Namespace, Metric: "RunSucceeded", Dimensions: map[string]string{"Environment": "default"}, At: time.Now().Add(-3 * time.Hour), Value: 1}}
			server := httptest.NewServer(&awstest.CloudWatch{Points: func() []awstest.Point { return points }})
			t.Cleanup(server.Close)
			return function(server.URL)
		}}},
		"sts:GetCallerIdentity": {{name: "the fake", set: ownScheduler}},
	}
	for _, action := range []string{"ListSchedules", "GetSchedule", "CreateSchedule", "UpdateSchedule", "DeleteSchedule"} {
		list["scheduler:"+action] = []stage{own}
	}
	for action, s := range moto {
		list[action] = append(list[action], s)
	}
	server := s3test.Of(t, region, "AKIDSTORE", "store-secret")
	server.Bucket(at.Bucket, true)
	server.Put(at.Bucket, odd, script)
	for _, action := range []string{"s3:ListBucket", "s3:GetObject", "s3:GetBucketVersioning", "s3:PutObject"} {
		list[action] = []stage{{name: "versitygw", set: func(*testing.T) (account.Account, aws.Config) {
			c := configured(server.Access, server.Secret, "")
			c.BaseEndpoint = &server.Endpoint
			return as(server.Env()), c
		}}}
	}
	return list
}

// function is the account of the Lambda function that the fakes know, at an address.
func function(url string) (account.Account, aws.Config) {
	c := configured(lambdatest.AccessKey, lambdatest.SecretKey, lambdatest.SessionToken)
	c.BaseEndpoint = &url
	return as([]string{"AWS_ENDPOINT_URL=" + url, "AWS_REGION=" + lambdatest.Region, "AWS_ACCESS_KEY_ID=" + lambdatest.AccessKey, "AWS_SECRET_ACCESS_KEY=" + lambdatest.SecretKey,
		"AWS_SESSION_TOKEN=" + lambdatest.SessionToken, "AWS_EC2_METADATA_DISABLED=true"}), c
}

func host(t *testing.T) (account.Account, aws.Config) { return function(lambdatest.StartSSM(t).URL()) }

// ownScheduler has a schedule already, where the row does not make it.
func ownScheduler(t *testing.T) (account.Account, aws.Config) {
	fake := lambdatest.StartScheduler(t)
	fake.Group("shop")
	a, c := function(as(fake.Env()).Variable("AWS_ENDPOINT_URL"))
	fill(t, c)
	return a, c
}

// fill makes the schedules that are looked for.
func fill(t *testing.T, c aws.Config) {
	t.Helper()
	names := []string{"dev", "dev-2", "dev-3", "other"}
	if strings.Contains(t.Name(), "CreateSchedule") {
		names = names[1:]
	}
	for _, name := range names {
		in := creation(wanted("rate(1 hour)"), nil)
		in.Name, in.State, in.Description, in.ActionAfterCompletion = &name, types.ScheduleStateDisabled, aws.String("of somebody else"), types.ActionAfterCompletionNone
		out, err := scheduler.NewFromConfig(c).CreateSchedule(t.Context(), in)
		need(t, out, err)
	}
}

// standing is the schedule dev as the SDK sees it, without the times at which it was made and is to begin.
func standing(t *testing.T, c aws.Config) any {
	out, err := schedule(t.Context(), c)
	if err != nil {
		return err.Error()[:40]
	}
	out.CreationDate, out.LastModificationDate, out.StartDate = nil, nil, nil
	text, err := json.Marshal(out)
	var fields map[string]any
	if err := json.Unmarshal(need(t, text, err), &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "ResultMetadata")
	return fields
}

// motoStages are those of the emulator of others, which is emptied for each.
func motoStages(t *testing.T) map[string]stage {
	env := awstest.StartMoto(t)
	url := as(env).Variable("AWS_ENDPOINT_URL")
	at := func(fill func(*testing.T, aws.Config), left func(*testing.T, aws.Config) any) stage {
		return stage{name: "moto", left: left, set: func(t *testing.T) (account.Account, aws.Config) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/moto-api/reset", http.NoBody)
			need(t, request, err)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			c := configured("AKIDMOTO", "moto", "")
			c.BaseEndpoint = &url
			if fill != nil {
				fill(t, c)
			}
			return as(env), c
		}}
	}
	group := func(t *testing.T, c aws.Config) {
		out, err := scheduler.NewFromConfig(c).CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: aws.String("shop")})
		need(t, out, err)
		fill(t, c)
	}
	list := map[string]stage{
		"secretsmanager:GetSecretValue": at(rotated, nil), "ssm:GetParameter": at(kept, nil), "cloudwatch:GetMetricStatistics": at(measured, nil),
		"sts:GetCallerIdentity": at(nil, nil), "sts:AssumeRoleWithWebIdentity": at(nil, nil), "scheduler:ListSchedules": at(group, nil),
	}
	for _, action := range []string{"Get", "Create", "Update", "Delete"} {
		list["scheduler:"+action+"Schedule"] = at(group, standing)
	}
	return list
}

func rotated(t *testing.T, c aws.Config) {
	client := secretsmanager.NewFromConfig(c)
	out, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("shop/dev"), SecretString: aws.String("before \" é")})
	need(t, out, err)
	next, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("shop/dev"), SecretString: aws.String("now")})
	need(t, next, err)
}

func kept(t *testing.T, c aws.Config) {
	out, err := ssm.NewFromConfig(c).PutParameter(t.Context(), &ssm.PutParameterInput{Name: aws.String("/shop/pw"), Value: aws.String("pass € word"), Type: parameters.ParameterTypeSecureString})
	need(t, out, err)
}

// measured tells of a run that succeeded.
func measured(t *testing.T, c aws.Config) {
	out, err := cloudwatch.NewFromConfig(c, query).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String(lambda.Namespace), MetricData: []watched.MetricDatum{{
		MetricName: aws.String("RunSucceeded"), Value: aws.Float64(1), Unit: watched.StandardUnitNone, Timestamp: aws.Time(time.Now().Add(-3 * time.Hour)),
		Dimensions: []watched.Dimension{{Name: aws.String("Environment"), Value: aws.String("default")}},
	}}})
	need(t, out, err)
}
