package sdk

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	watched "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"

	"github.com/skein-db/skein/internal/lambda"
	account "github.com/skein-db/skein/internal/secret/aws"
)

// alarms is the question to CloudWatch. The SDK has since gone over to CBOR; its client speaks the query protocol when asked
// to, which is what ours does and what the service takes from older SDKs and from the aws command.
func alarms() []row {
	const get = "cloudwatch:GetMetricStatistics"
	held := `<GetMetricStatisticsResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricStatisticsResult><Datapoints>` +
		`<member><Unit>None</Unit><Sum>0.0</Sum><Timestamp>` + hoursAgo(1) + `</Timestamp></member><member><Unit>None</Unit><Sum>2.0</Sum><Timestamp>` + hoursAgo(5) + `</Timestamp></member>` +
		`<member><Unit>None</Unit><Sum>1.0</Sum><Timestamp>` + hoursAgo(9) + `</Timestamp></member></Datapoints><Label>RunSucceeded</Label></GetMetricStatisticsResult>` +
		`<ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></GetMetricStatisticsResponse>`
	return []row{{
		action: get, sites: []string{"internal/lambda/silence.go successes"}, replies: map[string][]reply{get: {{body: held}}},
		ours: following(`{"command": "silence", "environment": "default"}`, time.Minute, func(a lambda.Answer) string { return a.Warnings[0] }),
		theirs: func(t *testing.T, c aws.Config, _ []taken) any {
			out, err := statistics(t.Context(), cloudwatch.NewFromConfig(c, query))
			return success(need(t, out, err).Datapoints)
		},
		broken: func(ctx context.Context, a account.Account) (string, bool) {
			return told(invoke(ctx, a, time.Minute, `{"command": "silence", "environment": "default"}`))
		},
		failing: func(ctx context.Context, c aws.Config) error {
			_, err := statistics(ctx, cloudwatch.NewFromConfig(c, query))
			return err
		},
	}}
}

// query has the client speak as ours does.
func query(o *cloudwatch.Options) { o.Protocol = awsquery.New(schemas.GraniteServiceVersion20100801) }

// moment is the time at which both sides ask.
var moment = time.Now()

func hoursAgo(n int) string {
	return moment.UTC().Truncate(time.Hour).Add(-time.Duration(n) * time.Hour).Format(time.RFC3339)
}

// success words what the points say, as the function does.
func success(points []watched.Datapoint) string {
	var last time.Time
	for _, p := range points {
		if *p.Sum > 0 && p.Timestamp.After(last) {
			last = *p.Timestamp
		}
	}
	return "the last run that succeeded was about " + moment.Sub(last).Truncate(time.Minute).String() + " ago"
}

// statistics asks what ours asks first: for the last day, to five minutes.
func statistics(ctx context.Context, c *cloudwatch.Client) (*cloudwatch.GetMetricStatisticsOutput, error) {
	const period = 5 * time.Minute
	now := moment.UTC()
	return c.GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String(lambda.Namespace), MetricName: aws.String("RunSucceeded"), Statistics: []watched.Statistic{watched.StatisticSum}, Period: aws.Int32(int32(period.Seconds())),
		Dimensions: []watched.Dimension{{Name: aws.String("Environment"), Value: aws.String("default")}},
		StartTime:  aws.Time(now.Add(-24 * time.Hour).Truncate(period)), EndTime: aws.Time(now.Truncate(period).Add(period)),
	})
}
