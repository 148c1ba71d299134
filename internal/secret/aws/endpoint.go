package aws

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
)

// sdkNames are the names that the SDKs have for services in variables and files, where they are not those in addresses.
var sdkNames = map[string]string{"monitoring": "CloudWatch", "secretsmanager": "Secrets Manager"}

// Endpoint is the URL of a service in a region, or of what variables and the profile name in its place.
func (a Account) Endpoint(service, region string) (string, error) {
	named, err := a.Configured(service)
	return cmp.Or(named, "https://"+a.Hosts(service)(region)), err
}

// Configured is the URL that stands in the place of a service of AWS, without a slash at its end, and "" where none does. As
// with the SDKs it is an error where hosts of AWS's own of some kind are asked for as well.
func (a Account) Configured(service string) (string, error) {
	named := a.named(service)
	for _, of := range []choice{fips, dualStack} {
		if named != "" && a.on(of) {
			return "", fmt.Errorf("%s (%s) asks for a host of AWS's, and the endpoint of %s is set to %s: only one of them can be", of.variable, of.key, service, named)
		}
	}
	return named, nil
}

// choice is what a variable, or else a key of the profile, turns on.
type choice struct{ variable, key string }

var (
	fips      = choice{"AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"}           // hosts whose cryptography is validated by FIPS 140
	dualStack = choice{"AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"} // hosts that have an address of IPv6, too
	unnamed   = choice{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls"}
)

func (a Account) on(c choice) bool {
	return strings.EqualFold(cmp.Or(a.get(c.variable), a.profile()[c.key]), "true")
}

// Hosts names a service's host in each region. Variables and profile are read once, for all of them.
func (a Account) Hosts(service string) func(region string) string {
	validated, both := a.on(fips), a.on(dualStack)
	return func(region string) string { return host(service, region, validated, both) }
}

// host is the name of a service's host in a region: one that is validated by FIPS 140, one that has both kinds of addresses.
func host(service, region string, validated, both bool) string {
	name := service
	// In the regions for the government these have no other hosts.
	only := strings.HasPrefix(region, "us-gov-") && (service == "monitoring" || !both && (service == "sts" || service == "ssm"))
	if validated && !only {
		name += "-fips"
	}
	domain, stack := domains(region)
	// Here all hosts have both addresses.
	anyway := service == "secretsmanager" && (domain == "amazonaws.com" || domain == "amazonaws.com.cn" && !validated)
	switch {
	case !both, anyway:
	case service == "s3":
		name += ".dualstack"
	default:
		domain = stack
	}
	return name + "." + region + "." + domain
}

// named has a service's own variable (AWS_ENDPOINT_URL_SECRETS_MANAGER) go before AWS_ENDPOINT_URL, and both before the
// profile's services and endpoint_url; AWS_IGNORE_CONFIGURED_ENDPOINT_URLS has none of them heard.
func (a Account) named(service string) string {
	profile := a.profile()
	if a.on(unnamed) {
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

// partitions are where the hosts of AWS are, by how the names of the regions begin; those of stack have an address of IPv6, too.
var partitions = []struct{ begin, domain, stack string }{
	{"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"}, {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
	{"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"}, {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"}, {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
	{"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
}

// domains are the parts of the internet where a region's hosts are.
func domains(region string) (domain, stack string) {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.begin) {
			return p.domain, p.stack
		}
	}
	return "amazonaws.com", "api.aws"
}
