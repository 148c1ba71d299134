package sdk

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/lambda/lambdatest"
)

// TestWrongRequests: a request that is not the SDK's is found, and named.
func TestWrongRequests(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*taken) { return func(one *taken) { one.Header.Set(name, value) } }
	replaced := func(old, by string) func(*taken) {
		return func(one *taken) {
			if !strings.Contains(string(one.Body), old) {
				t.Errorf("the body has no %s: %s", old, one.Body)
			}
			one.Body = []byte(strings.Replace(string(one.Body), old, by, 1))
		}
	}
	signed := func(old, by string) func(*taken) {
		return func(one *taken) {
			given := one.Header.Get("Authorization")
			if one.Header.Set("Authorization", strings.Replace(given, old, by, 1)); one.Header.Get("Authorization") == given {
				t.Errorf("the signature has no %s: %s", old, given)
			}
		}
	}
	for title, wrongs := range map[string]map[string]func(*taken){
		"secretsmanager:GetSecretValue by name": {
			"header X-Amz-Target": set("X-Amz-Target", "secretsmanager.GetSecret"), "header Content-Type": set("Content-Type", "application/json"), "body": replaced("SecretId", "SecretID"),
			"signed service": signed("/secretsmanager/", "/secrets-manager/"), "signed region": signed("/"+region+"/", "/us-east-1/"), "signed header x-amz-target": signed(";x-amz-target", ""),
			"host": func(one *taken) { one.Host = "secrets-manager." + region + ".amazonaws.com" }, "method": func(one *taken) { one.Method = http.MethodGet },
			"path": func(one *taken) { one.Path = "" }, "header X-Amz-Security-Token": set("X-Amz-Security-Token", "other"), "header X-Amz-Further": set("X-Amz-Further", "1"),
		},
		"ssm:SendCommand ": {"body": replaced(`["`+lambdatest.Host+`"]`, `"`+lambdatest.Host+`"`), "header X-Amz-Target": set("X-Amz-Target", "SSM.SendCommand")},
		"lambda:InvokeFunction for later": {
			"header X-Amz-Invocation-Type": func(one *taken) { one.Header.Del("X-Amz-Invocation-Type") }, "path": func(one *taken) { one.Path = strings.ReplaceAll(one.Path, "%3A", ":") },
			"signed header x-amz-invocation-type": signed(";x-amz-invocation-type", ""),
		},
		"cloudwatch:GetMetricStatistics ": {"body": replaced("Statistics.member.1=", "Statistics.1="), "header Content-Type": set("Content-Type", "text/plain")},
		"scheduler:ListSchedules two pages": {
			"query NamePrefix": func(one *taken) { one.Query = url.Values{"ScheduleGroup": {"shop"}, "MaxResults": {"100"}} }, "query GroupName": func(one *taken) { one.Query.Set("GroupName", "shop") },
		},
		"scheduler:CreateSchedule ":            {"body": replaced(`"Mode":"OFF"`, `"Mode":"off"`)},
		"s3:GetObject as it was listed":        {"header If-Match": func(one *taken) { one.Header.Del("If-Match") }, "path": func(one *taken) { one.Path = strings.ReplaceAll(one.Path, "%2B", "+") }},
		"s3:PutObject ":                        {"header X-Amz-Checksum-Sha256": func(one *taken) { one.Header.Del("X-Amz-Checksum-Sha256") }},
		"sts:AssumeRoleWithWebIdentity ":       {"body": replaced("Version=2011-06-15", "Version=2011-06-16"), "signed service": set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20260101/eu/sts/aws4_request, SignedHeaders=host, Signature=0")},
		"ssm:GetParameter ":                    {"body": replaced("true", `"true"`)},
		"scheduler:DeleteSchedule ":            {"query groupName": func(one *taken) { one.Query.Del("groupName") }},
		"s3:ListBucket two pages, twice":       {"query encoding-type": func(one *taken) { one.Query.Del("encoding-type") }},
		"s3:GetBucketVersioning ":              {"query versioning": func(one *taken) { one.Query = url.Values{"Versioning": {""}} }},
		"ssm:GetCommandInvocation that failed": {"body": replaced("CommandId", "CommandID")},
	} {
		r := titled(t, title)
		p, q := newTape(t, r.replies), newTape(t, r.replies)
		r.ours(t, as(p.env()))
		r.theirs(t, q.config(), p.of(r.action))
		theirs := q.of(r.action)[0]
		for what, wrong := range wrongs {
			one := p.of(r.action)[0]
			one.Header, one.Query = swapped(one.Header, p.access, q.access), url.Values(http.Header(one.Query).Clone())
			one.Body = []byte(strings.ReplaceAll(string(one.Body), p.access, q.access))
			if found, ok := differences(one, theirs)[what]; ok {
				t.Errorf("%s: %s differs before it was made wrong: %s", title, what, found)
			}
			wrong(&one)
			if _, ok := differences(one, theirs)[what]; !ok {
				t.Errorf("%s: a wrong %s is not found: %v", title, what, differences(one, theirs))
			}
			if _, ok := meant[what]; ok || r.meant[what] != "" {
				t.Errorf("%s: a wrong %s is passed over", title, what)
			}
		}
	}
}

func titled(t *testing.T, title string) row {
	t.Helper()
	for _, r := range rows() {
		if r.title() == title {
			return r
		}
	}
	t.Fatalf("there is no row %q", title)
	return row{}
}
