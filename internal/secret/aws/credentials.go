package aws

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
)

// credentials finds the credentials in the order of the SDKs: variables, a web identity (Kubernetes), the profile's keys,
// what the aws command makes of a profile (SSO, roles, credential_process), the container's, the machine's.
func (a Account) credentials(ctx context.Context, region string) (sdk.Credentials, error) {
	if key := a.get("AWS_ACCESS_KEY_ID"); key != "" && a.get("AWS_SECRET_ACCESS_KEY") != "" {
		return sdk.Credentials{AccessKeyID: key, SecretAccessKey: a.get("AWS_SECRET_ACCESS_KEY"), SessionToken: a.get("AWS_SESSION_TOKEN")}, nil
	}
	if file, role := a.get("AWS_WEB_IDENTITY_TOKEN_FILE"), a.get("AWS_ROLE_ARN"); file != "" && role != "" {
		return a.webIdentity(ctx, region, file, role)
	}
	profile := a.profile()
	if profile["aws_access_key_id"] != "" && profile["aws_secret_access_key"] != "" && profile["role_arn"] == "" {
		return sdk.Credentials{
			AccessKeyID: profile["aws_access_key_id"], SecretAccessKey: profile["aws_secret_access_key"], SessionToken: profile["aws_session_token"],
		}, nil
	}
	for _, key := range []string{"role_arn", "credential_process", "sso_session", "sso_start_url", "sso_account_id"} {
		if profile[key] != "" {
			return a.exported(ctx)
		}
	}
	if name := a.get("AWS_PROFILE"); name != "" {
		return sdk.Credentials{}, fmt.Errorf("the profile %s of AWS_PROFILE has no credentials", name)
	}
	if address := a.containerAddress(); address != "" {
		return a.container(ctx, address)
	}
	if strings.EqualFold(a.get("AWS_EC2_METADATA_DISABLED"), "true") {
		return sdk.Credentials{}, errNone
	}
	credentials, err := ec2rolecreds.New().Retrieve(ctx)
	if err != nil {
		return sdk.Credentials{}, errNone
	}
	return credentials, nil
}

var errNone = errors.New("no credentials were found in variables (AWS_ACCESS_KEY_ID), a profile (AWS_PROFILE), the container's or the machine's role")

// containerAddress is where a task of ECS or a pod of EKS gets its credentials.
func (a Account) containerAddress() string {
	if path := a.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		return "http://169.254.170.2" + path
	}
	return a.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
}

func (a Account) container(ctx context.Context, address string) (sdk.Credentials, error) {
	token := a.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	if file := a.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return sdk.Credentials{}, fmt.Errorf("the container's credentials: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	provider := endpointcreds.New(address, func(o *endpointcreds.Options) { o.AuthorizationToken = token })
	credentials, err := provider.Retrieve(ctx)
	if err != nil {
		return sdk.Credentials{}, fmt.Errorf("the container's credentials: %w", err)
	}
	return credentials, nil
}

// webIdentity exchanges a token that Kubernetes wrote for credentials of a role. The request is not signed.
func (a Account) webIdentity(ctx context.Context, region, file, role string) (sdk.Credentials, error) {
	token, err := os.ReadFile(file)
	if err != nil {
		return sdk.Credentials{}, fmt.Errorf("the web identity of AWS_WEB_IDENTITY_TOKEN_FILE: %w", err)
	}
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role},
		"RoleSessionName": {cmp.Or(a.get("AWS_ROLE_SESSION_NAME"), "skein")}, "WebIdentityToken": {strings.TrimSpace(string(token))},
	}
	endpoint, err := a.Endpoint("sts", region)
	if err != nil {
		return sdk.Credentials{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return sdk.Credentials{}, fmt.Errorf("the endpoint %s cannot be used", endpoint)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client, err := a.Client()
	if err != nil {
		return sdk.Credentials{}, err
	}
	said, err := receive(client, request)
	if err != nil {
		return sdk.Credentials{}, err
	}
	var answer struct {
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
		} `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
		Code string `xml:"Error>Code"`
	}
	if err := xml.Unmarshal(said.Body, &answer); err != nil || said.Status != http.StatusOK || answer.Credentials.AccessKeyID == "" {
		return sdk.Credentials{}, fmt.Errorf("the role %s was not given to this web identity: %s", role, cmp.Or(answer.Code, http.StatusText(said.Status)))
	}
	c := answer.Credentials
	return sdk.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
}

// exported asks the aws command, which knows how to sign in and how to take roles.
func (a Account) exported(ctx context.Context) (sdk.Credentials, error) {
	name := a.profileName()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "aws", "configure", "export-credentials", "--format", "process", "--profile", name)
	cmd.Env, cmd.Stdout = a.Env, &out
	if err := cmd.Run(); err != nil {
		return sdk.Credentials{}, fmt.Errorf("the profile %s takes the aws command (2.9 or later) to sign in: aws configure export-credentials: %w", name, err)
	}
	var c struct{ AccessKeyID, SecretAccessKey, SessionToken string } // JSON's names are matched without regard to case
	if err := json.Unmarshal(out.Bytes(), &c); err != nil || c.AccessKeyID == "" {
		return sdk.Credentials{}, fmt.Errorf("aws configure export-credentials gave no credentials for the profile %s", name)
	}
	return sdk.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
}

func (a Account) profileName() string { return cmp.Or(a.get("AWS_PROFILE"), "default") }

// profile reads the keys of the profile in use from ~/.aws/config and, winning, ~/.aws/credentials. Files that are not
// there hold nothing.
func (a Account) profile() map[string]string {
	name := a.profileName()
	found := section(a.file("AWS_CONFIG_FILE", "config"), "profile "+name, name)
	maps.Copy(found, section(a.file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name))
	return found
}

// section reads the keys of the sections of those names of an INI file. A key that is nested in another is "outer.inner".
func section(file string, names ...string) map[string]string {
	found := map[string]string{}
	text, err := os.ReadFile(file)
	if err != nil {
		return found
	}
	inside, outer := false, ""
	for line := range strings.Lines(string(text)) {
		nested := line[0] == ' ' || line[0] == '\t' // a setting of one service
		line = strings.TrimSpace(line)
		if header, ok := strings.CutPrefix(line, "["); ok {
			header, _, _ = strings.Cut(header, "]")
			header = strings.Join(strings.Fields(header), " ")
			inside = slices.Contains(names, header)
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !inside || !ok || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";") {
			continue
		}
		key = strings.ToLower(strings.TrimSpace(key))
		if nested {
			key = outer + "." + key
		} else {
			outer = key
		}
		found[key] = strings.TrimSpace(value)
	}
	return found
}
