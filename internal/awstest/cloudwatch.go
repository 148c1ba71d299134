package awstest

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/skein-db/skein/internal/lambda/lambdatest"
)

// CloudWatch answers for the metrics of a function, from the lines that it wrote.
type CloudWatch struct {
	Points func() []Point
	Refuse bool // that anybody asks
}

func (c *CloudWatch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	refuse := func(status int, code, message string) {
		w.WriteHeader(status)
		var text bytes.Buffer
		_ = xml.EscapeText(&text, []byte(message))
		_, _ = io.WriteString(w, `<ErrorResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><Error><Type>Sender</Type><Code>`+code+`</Code><Message>`+text.String()+`</Message></Error></ErrorResponse>`)
	}
	form, err := url.ParseQuery(string(body))
	if fault := lambdatest.VerifySignature(r, body, "monitoring"); err != nil || fault != nil {
		refuse(http.StatusForbidden, "SignatureDoesNotMatch", "the signature does not match")
		return
	}
	if c.Refuse {
		refuse(http.StatusForbidden, "AccessDenied", "User: arn:aws:sts::123456789012:assumed-role/skein is not authorized to perform: cloudwatch:GetMetricStatistics")
		return
	}
	from, err1 := time.Parse(time.RFC3339, form.Get("StartTime"))
	to, err2 := time.Parse(time.RFC3339, form.Get("EndTime"))
	period := time.Duration(number(form.Get("Period"))) * time.Second
	switch {
	case form.Get("Action") != "GetMetricStatistics" || form.Get("Version") != "2010-08-01":
		refuse(http.StatusBadRequest, "InvalidAction", form.Get("Action"))
		return
	case err1 != nil || err2 != nil || period < time.Minute || period%time.Minute != 0:
		refuse(http.StatusBadRequest, "ValidationError", "a time or the period is wrong")
		return
	case to.Sub(from)/period > 1440: // as there
		refuse(http.StatusBadRequest, "InvalidParameterCombination", "You have requested too many datapoints")
		return
	}
	sums := map[time.Time]float64{}
	want := map[string]string{form.Get("Dimensions.member.1.Name"): form.Get("Dimensions.member.1.Value")}
	for _, p := range c.Points() {
		if p.Namespace == form.Get("Namespace") && p.Metric == form.Get("MetricName") && sameDimensions(p.Dimensions, want) && !p.At.Before(from) && p.At.Before(to) {
			sums[p.At.UTC().Truncate(period)] += p.Value
		}
	}
	type member struct {
		Timestamp time.Time
		Sum       float64
		Unit      string
	}
	var answer struct {
		XMLName xml.Name `xml:"http://monitoring.amazonaws.com/doc/2010-08-01/ GetMetricStatisticsResponse"`
		Members []member `xml:"GetMetricStatisticsResult>Datapoints>member"`
	}
	for at, sum := range sums {
		answer.Members = append(answer.Members, member{at, sum, "Count"})
	}
	text, err := xml.Marshal(answer)
	if err != nil {
		return
	}
	_, _ = w.Write(text)
}
