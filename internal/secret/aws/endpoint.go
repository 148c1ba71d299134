package aws

import (
	"cmp"
	"path/filepath"
	"strings"
)

// sdkNames are the names that the SDKs have for services in variables and files, where they are not those in addresses.
var sdkNames = map[string]string{"monitoring": "CloudWatch", "secretsmanager": "Secrets Manager"}

// Endpoint is the URL of a service in a region, or of what variables and the profile name in its place.
func (a Account) Endpoint(service, region string) string {
	return cmp.Or(a.Configured(service), "https://"+service+"."+region+"."+Domain(region))
}

// Configured is the URL that stands in the place of a service of AWS, without a slash at its end, and "" where none does. As
// with the SDKs the service's own variable (AWS_ENDPOINT_URL_SECRETS_MANAGER) goes before AWS_ENDPOINT_URL, and both before
// the profile's services and endpoint_url; AWS_IGNORE_CONFIGURED_ENDPOINT_URLS has none of them heard.
func (a Account) Configured(service string) string {
	profile := a.profile()
	if ignore := cmp.Or(a.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), profile["ignore_configured_endpoint_urls"]); strings.EqualFold(ignore, "true") {
		return ""
	}
	name := strings.ReplaceAll(cmp.Or(sdkNames[service], service), " ", "_")
	url := cmp.Or(a.get("AWS_ENDPOINT_URL_"+strings.ToUpper(name)), a.get("AWS_ENDPOINT_URL"))
	if of := profile["services"]; url == "" && of != "" {
		url = section(a.file("AWS_CONFIG_FILE", "config"), "services "+of)[strings.ToLower(name)+".endpoint_url"]
	}
	return strings.TrimRight(cmp.Or(url, profile["endpoint_url"]), "/")
}

// file is where a file of the SDKs lies; "" for nowhere.
func (a Account) file(variable, base string) string {
	if path := a.get(variable); path != "" || a.Home == "" {
		return path
	}
	return filepath.Join(a.Home, ".aws", base)
}

// domains are the parts of the internet where the regions of the partitions of AWS are, by how their names begin.
var domains = []struct{ begin, domain string }{
	{"cn-", "amazonaws.com.cn"}, {"eusc-", "amazonaws.eu"}, {"us-iso-", "c2s.ic.gov"}, {"us-isob-", "sc2s.sgov.gov"}, {"eu-isoe-", "cloud.adc-e.uk"},
	{"us-isof-", "csp.hci.ic.gov"},
}

// Domain is the part of the internet that a region's endpoints are in.
func Domain(region string) string {
	for _, d := range domains {
		if strings.HasPrefix(region, d.begin) {
			return d.domain
		}
	}
	return "amazonaws.com"
}
