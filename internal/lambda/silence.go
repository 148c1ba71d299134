package lambda

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"time"

	"github.com/skein-db/skein/internal/aws"
)

// The dead man's alarm: no run has succeeded for too long. An alarm of CloudWatch looks back a week at most, and a schedule
// may be a month, so an event asks once an hour when the last success was, and its age is a metric of its own.

// silenceDays is how far back is looked: one and a half times the longest month, and some.
const silenceDays = 62

// silence asks CloudWatch for the last success of the environment and tells how many hours ago it was. It connects to no
// database, so a Serverless cluster sleeps on. It asks for permission cloudwatch:GetMetricStatistics.
func silence(ctx context.Context, s *Slice) (Answer, error) {
	now := s.function.now().UTC()
	var last time.Time
	// The younger the finer; what is older than a day is known to two hours.
	for _, look := range []struct{ back, period time.Duration }{{24 * time.Hour, 5 * time.Minute}, {silenceDays * 24 * time.Hour, 2 * time.Hour}} {
		found, err := s.successes(ctx, now.Add(-look.back), now, look.period)
		if err != nil {
			return Answer{}, err
		}
		if last = found; !last.IsZero() {
			break
		}
	}
	hours, text := float64(silenceDays*24+1), fmt.Sprintf("no run has succeeded within %d days", silenceDays)
	if !last.IsZero() {
		hours = math.Round(now.Sub(last).Hours()*100) / 100
		text = "the last run that succeeded was about " + now.Sub(last).Truncate(time.Minute).String() + " ago"
	}
	s.log.metrics(about{environment: s.Request.Environment, run: s.Request.Run.ID}, map[string]float64{"HoursSinceSuccess": hours})
	s.log.logger.Info(text, "hours", hours)
	return Answer{Status: StatusSucceeded, Warnings: []string{text}}, nil
}

// successes gives the beginning of the last period in which a run has succeeded; zero: there is none.
func (s *Slice) successes(ctx context.Context, from, to time.Time, period time.Duration) (time.Time, error) {
	form := url.Values{
		"Action": {"GetMetricStatistics"}, "Version": {"2010-08-01"}, "Namespace": {Namespace}, "MetricName": {"RunSucceeded"},
		"Dimensions.member.1.Name": {"Environment"}, "Dimensions.member.1.Value": {s.Request.Environment}, "Statistics.member.1": {"Sum"},
		"StartTime": {from.Truncate(period).Format(time.RFC3339)}, "EndTime": {to.Truncate(period).Add(period).Format(time.RFC3339)}, "Period": {strconv.Itoa(int(period.Seconds()))},
	}
	answer, err := s.function.caller().Do(ctx, aws.Call{
		Service: "monitoring", Body: []byte(form.Encode()), Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	})
	if e, ok := errors.AsType[*aws.Error](err); ok && !aws.Busy(e) {
		return time.Time{}, &refusal{"CloudWatch: " + e.Error(), "the role needs cloudwatch:GetMetricStatistics, and in a VPC without a way out there has to be an endpoint for monitoring"}
	}
	if err != nil {
		return time.Time{}, &outage{err}
	}
	var read struct {
		Points []struct {
			Timestamp time.Time
			Sum       float64
		} `xml:"GetMetricStatisticsResult>Datapoints>member"`
	}
	if err := xml.Unmarshal(answer.Body, &read); err != nil {
		return time.Time{}, &outage{fmt.Errorf("the answer of CloudWatch cannot be read: %w", err)}
	}
	var last time.Time
	for _, p := range read.Points {
		if p.Sum > 0 && p.Timestamp.After(last) {
			last = p.Timestamp
		}
	}
	return last, nil
}
