package awstest

import (
	"encoding/json"
	"fmt"
	"time"
)

// Point is one value of a metric.
type Point struct {
	At                time.Time
	Namespace, Metric string
	Dimensions        map[string]string
	Value             float64
}

// Points reads the lines of a log as CloudWatch does: those in the embedded metric format become values, one for each set of
// dimensions. A line that CloudWatch would not understand is an error.
func Points(lines []string) ([]Point, error) {
	var all []Point
	for _, line := range lines {
		var whole map[string]any
		if json.Unmarshal([]byte(line), &whole) != nil || whole["_aws"] == nil {
			continue
		}
		at := time.UnixMilli(int64(number(at(whole, "_aws", "Timestamp"))))
		for _, directive := range listOf(object(whole["_aws"])["CloudWatchMetrics"]) {
			d := object(directive)
			for _, set := range listOf(d["Dimensions"]) {
				dimensions := map[string]string{}
				for _, name := range texts(set) {
					value, ok := whole[name].(string)
					if !ok || value == "" {
						return nil, fmt.Errorf("the dimension %s has no value: %s", name, line)
					}
					dimensions[name] = value
				}
				for _, m := range listOf(d["Metrics"]) {
					name := str(object(m)["Name"])
					value, ok := whole[name].(float64)
					if !ok {
						return nil, fmt.Errorf("the metric %s has no value: %s", name, line)
					}
					all = append(all, Point{at, str(d["Namespace"]), name, dimensions, value})
				}
			}
		}
	}
	return all, nil
}

// The states of an alarm.
const (
	Sounds = "ALARM"
	OK     = "OK"
)

// State is what CloudWatch makes of the alarm at a moment: of each of the last periods it takes the statistic, compares it, and
// treats a period without values as the alarm says. All periods have to breach.
func (a Alarm) State(points []Point, now time.Time) (string, error) {
	if a.Period <= 0 || a.Periods <= 0 || a.Period < 3600 && a.Period*a.Periods > 86400 || a.Period*a.Periods > 7*86400 {
		return "", fmt.Errorf("%s: %d periods of %d s are not possible: a day in all, or a week of periods of an hour or more", a.Name, a.Periods, a.Period)
	}
	breaching := 0
	for i := range a.Periods {
		to := now.Add(-time.Duration(i*a.Period) * time.Second)
		value, found, err := a.statistic(points, to.Add(-time.Duration(a.Period)*time.Second), to)
		if err != nil {
			return "", err
		}
		if !found {
			switch a.Missing {
			case "breaching":
				breaching++
			case "notBreaching":
			default:
				return "", fmt.Errorf("%s treats missing values as %q, which is not known here", a.Name, a.Missing)
			}
			continue
		}
		hit, err := a.hit(value)
		if err != nil {
			return "", err
		}
		if hit {
			breaching++
		}
	}
	if breaching == a.Periods {
		return Sounds, nil
	}
	return OK, nil
}

func (a Alarm) statistic(points []Point, from, to time.Time) (value float64, found bool, err error) {
	for _, p := range points {
		if p.Namespace != a.Namespace || p.Metric != a.Metric || p.At.Before(from) || !p.At.Before(to) || !sameDimensions(p.Dimensions, a.Dimensions) {
			continue
		}
		switch {
		case a.Statistic == "Sum":
			value += p.Value
		case !found:
			value = p.Value
		case a.Statistic == "Maximum":
			value = max(value, p.Value)
		case a.Statistic == "Minimum":
			value = min(value, p.Value)
		default:
			return 0, false, fmt.Errorf("%s: the statistic %q is not known here", a.Name, a.Statistic)
		}
		found = true
	}
	return value, found, nil
}

func (a Alarm) hit(value float64) (bool, error) {
	switch a.Comparison {
	case "GreaterThanThreshold":
		return value > a.Threshold, nil
	case "GreaterThanOrEqualToThreshold":
		return value >= a.Threshold, nil
	}
	return false, fmt.Errorf("%s: the comparison %q is not known here", a.Name, a.Comparison)
}

// sameDimensions: a metric of CloudWatch is one for each exact set of dimensions.
func sameDimensions(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for name, value := range a {
		if b[name] != value {
			return false
		}
	}
	return true
}
