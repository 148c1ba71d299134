package aws_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/secret/aws"
)

var authorization = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/(\d{8})/([a-z0-9-]+)/(secretsmanager|ssm)/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// keys of the test's account: access key → secret key, session token.
var keys = map[string][2]string{
	"AKIDENV": {"canary-env", ""}, "AKIDFILE": {"canary-file", ""}, "AKIDPOD": {"canary-pod", "pod-token"}, "AKIDTASK": {"canary-task", "task-token"},
}

// signed verifies a request as the service does: it computes the signature anew (AWS Signature Version 4).
func signed(r *http.Request, body []byte) string {
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return "the form of the header is wrong: " + r.Header.Get("Authorization")
	}
	account, known := keys[m[1]]
	if !known || r.Header.Get("X-Amz-Security-Token") != account[1] {
		return "the key or the session's token is unknown"
	}
	date := r.Header.Get("X-Amz-Date")
	if !strings.HasPrefix(date, m[2]+"T") {
		return "X-Amz-Date and the credential's date differ"
	}
	var canonical strings.Builder
	canonical.WriteString("POST\n/\n\n")
	for _, name := range strings.Split(m[5], ";") {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(len(body))
		}
		canonical.WriteString(name + ":" + value + "\n")
	}
	sum := sha256.Sum256(body)
	canonical.WriteString("\n" + m[5] + "\n" + hex.EncodeToString(sum[:]))
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	key := []byte("AWS4" + account[0])
	for _, part := range []string{m[2], m[3], m[4], "aws4_request"} {
		key = mac(key, part)
	}
	request := sha256.Sum256([]byte(canonical.String()))
	scope := m[2] + "/" + m[3] + "/" + m[4] + "/aws4_request"
	want := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(request[:])))
	if want != m[6] {
		return "the signature is wrong"
	}
	for _, name := range []string{"host", "x-amz-date", "x-amz-target"} {
		if !strings.Contains(";"+m[5]+";", ";"+name+";") {
			return name + " is not signed"
		}
	}
	return ""
}

// service is Secrets Manager, STS and a container's endpoint in one.
func service(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.URL.Path == "/container":
			if r.Header.Get("Authorization") != "let-me-in" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			fmt.Fprint(w, `{"AccessKeyId":"AKIDTASK","SecretAccessKey":"canary-task","Token":"task-token","Expiration":"2099-01-01T00:00:00Z"}`)
			return
		case strings.Contains(string(body), "AssumeRoleWithWebIdentity"):
			if !strings.Contains(string(body), "WebIdentityToken=jwt&") && !strings.HasSuffix(string(body), "WebIdentityToken=jwt") {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>`)
				return
			}
			fmt.Fprint(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
				<AccessKeyId>AKIDPOD</AccessKeyId><SecretAccessKey>canary-pod</SecretAccessKey><SessionToken>pod-token</SessionToken>
				</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
			return
		}
		if fault := signed(r, body); fault == "" && r.Header.Get("X-Amz-Target") == "AmazonSSM.GetParameter" {
			parameter(w, string(body))
			return
		} else if fault != "" || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"__type":"InvalidSignatureException","message":%q}`, fault)
			return
		}
		answers := map[string]string{
			`{"SecretId":"shop/prod"}`:                                   `{"Name":"shop/prod","SecretString":"{\"password\":\"canary-value\"}"}`,
			`{"SecretId":"shop/prod","VersionStage":"AWSPREVIOUS"}`:      `{"SecretString":"{\"password\":\"canary-before\"}"}`,
			`{"SecretId":"binary"}`:                                      `{"Name":"binary","SecretBinary":"AAAA"}`,
			`{"SecretId":"arn:aws:secretsmanager:eu-west-3:1:secret:x"}`: `{"SecretString":"by-arn in ` + authorization.FindStringSubmatch(r.Header.Get("Authorization"))[3] + `"}`,
		}
		if answer, ok := answers[string(body)]; ok {
			fmt.Fprint(w, answer)
			return
		}
		if string(body) == `{"SecretId":"down"}` {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		if string(body) == `{"SecretId":"busy"}` {
			fmt.Fprint(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
			return
		}
		if string(body) == `{"SecretId":"forbidden"}` {
			fmt.Fprint(w, `{"__type":"com.amazonaws#AccessDeniedException","Message":"User is not authorized"}`)
			return
		}
		fmt.Fprint(w, `{"__type":"ResourceNotFoundException","message":"Secrets Manager can't find it."}`)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestRead(t *testing.T) {
	t.Parallel()
	api := service(t)
	home := t.TempDir()
	for name, text := range map[string]string{
		".aws/config":      "[default]\nregion = eu-central-1\n[profile  plain]\nregion=us-east-1\ns3 =\n  region = no\n[profile signin]\nregion=us-east-1\nsso_session = x\n[profile empty]\nregion=us-east-1\n",
		".aws/credentials": "# mine\n[plain]\naws_access_key_id = AKIDFILE\naws_secret_access_key = canary-file\n",
		"token":            "jwt\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(home, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const value = `{"password":"canary-value"}`
	env := []string{"AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=canary-env"}
	for _, c := range []struct {
		name string
		env  []string
		id   string
		want string
	}{
		{"variables, region of the default profile", env, "shop/prod", value},
		{"a region given", append(env, "AWS_REGION=eu-west-1"), "shop/prod", value},
		{"the region of the ARN", env, "arn:aws:secretsmanager:eu-west-3:1:secret:x", "by-arn in eu-west-3"},
		{"a profile", []string{"AWS_PROFILE=plain"}, "shop/prod", value},
		{"a web identity", []string{"AWS_WEB_IDENTITY_TOKEN_FILE=" + home + "/token", "AWS_ROLE_ARN=arn:role"}, "shop/prod", value},
		{"a container", []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + api.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN=let-me-in"}, "shop/prod", value},
		{"wrong keys", []string{"AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=other"}, "shop/prod", "shop/prod: InvalidSignatureException: the signature is wrong"},
		{"no such secret", env, "none", "none: there is no such secret in this region and account"},
		{"not allowed", env, "forbidden", "forbidden: User is not authorized (the permission is secretsmanager:GetSecretValue, and kms:Decrypt for a key of one's own)"},
		{"busy", env, "busy", "busy: ThrottlingException: Rate exceeded"},
		{"down", env, "down", "down: Service Unavailable (status 503)"},
		{"bytes", env, "binary", "binary: it holds bytes, not text (SecretBinary)"},
		{"a profile without keys", []string{"AWS_PROFILE=empty"}, "shop/prod", "shop/prod: the profile empty of AWS_PROFILE has no credentials"},
		{"no credentials", []string{"AWS_EC2_METADATA_DISABLED=true"}, "shop/prod", "shop/prod: no credentials were found in variables (AWS_ACCESS_KEY_ID), a profile (AWS_PROFILE), the container's or the machine's role"},
		{"a token that is not there", []string{"AWS_WEB_IDENTITY_TOKEN_FILE=/nowhere", "AWS_ROLE_ARN=arn:role"}, "x", "x: the web identity of AWS_WEB_IDENTITY_TOKEN_FILE: open /nowhere: no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			account := aws.Account{Env: append(c.env, "AWS_ENDPOINT_URL="+api.URL), Home: home}
			got, err := account.Read(t.Context(), c.id)
			text := got.Reveal()
			if err != nil {
				text = strings.TrimPrefix(err.Error(), "AWS Secrets Manager: ")
			}
			if text != c.want {
				t.Errorf("\n got %s\nwant %s", text, c.want)
			}
			if silent := c.name == "busy" || c.name == "down"; errors.Is(err, secret.ErrSilent) != silent {
				t.Errorf("it may answer in a moment: %t, want %t", !silent, silent)
			}
		})
	}
	_, err := aws.Account{Env: env}.Read(t.Context(), "x")
	if err == nil || !strings.HasSuffix(err.Error(), "no region is known: set AWS_REGION") {
		t.Errorf("without a region: %v", err)
	}
}

// parameter answers as the Systems Manager does.
func parameter(w http.ResponseWriter, body string) {
	switch body {
	case `{"Name":"/shop/pw","WithDecryption":true}`:
		fmt.Fprint(w, `{"Parameter":{"Name":"/shop/pw","Type":"SecureString","Value":"canary-parameter"}}`)
	case `{"Name":"/none","WithDecryption":true}`:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"ParameterNotFound"}`)
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"no"}`)
	}
}

func TestPrevious(t *testing.T) {
	t.Parallel()
	api := service(t)
	account := aws.Account{Env: []string{"AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=canary-env", "AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL=" + api.URL}}
	if got, err := account.Previous(t.Context(), "shop/prod"); err != nil || got.Reveal() != `{"password":"canary-before"}` {
		t.Errorf("%s, %v", got.Reveal(), err)
	}
	if _, err := account.Previous(t.Context(), "forbidden"); err == nil {
		t.Error("a secret that was never rotated has a version before")
	}
}

func TestParameter(t *testing.T) {
	t.Parallel()
	api := service(t)
	account := aws.Account{Env: []string{"AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=canary-env", "AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL_SSM=" + api.URL}}
	for name, want := range map[string]string{
		"/shop/pw": "canary-parameter",
		"/none":    "AWS Systems Manager: /none: there is no such parameter in this region and account",
		"/other":   "AWS Systems Manager: /other: no (the permission is ssm:GetParameter, and kms:Decrypt for a key of one's own)",
	} {
		got, err := account.Parameter(t.Context(), name)
		text := got.Reveal()
		if err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("%s:\n got %s\nwant %s", name, text, want)
		}
	}
}

// The token is a request that RDS could check: its signature is computed anew from its parts.
func TestToken(t *testing.T) {
	t.Parallel()
	account := aws.Account{Env: []string{"AWS_ACCESS_KEY_ID=AKIDENV", "AWS_SECRET_ACCESS_KEY=canary-env", "AWS_SESSION_TOKEN=session", "AWS_REGION=us-east-1"}}
	for _, c := range []struct{ region, host, want string }{
		{"", "shop.cluster-abc.eu-west-1.rds.amazonaws.com", "eu-west-1"}, {"", "shop.abc.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"},
		{"", "shop.abc.cn-north-1.rds.amazonaws.com.cn", "cn-north-1"}, {"", "shop.cluster-abc.rds.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"},
		{"", "shop.abc.eusc-de-east-1.rds.amazonaws.eu", "eusc-de-east-1"}, {"ap-south-1", "shop.abc.eu-west-1.rds.amazonaws.com", "ap-south-1"}, {"", "db.example.com", "us-east-1"},
	} {
		text, err := account.Token(t.Context(), c.region, c.host, 5432, "app user")
		if err != nil {
			t.Fatal(err)
		}
		token := text.Reveal()
		u, err := url.Parse("https://" + token)
		if err != nil || !strings.HasPrefix(token, c.host+":5432/?") {
			t.Fatalf("%v: %s", err, token)
		}
		q := u.Query()
		if q.Get("Action") != "connect" || q.Get("DBUser") != "app user" || q.Get("X-Amz-Expires") != "900" || q.Get("X-Amz-SignedHeaders") != "host" || q.Get("X-Amz-Security-Token") != "session" {
			t.Errorf("%s: %v", c.host, q)
		}
		date := q.Get("X-Amz-Date")
		scope := date[:8] + "/" + c.want + "/rds-db/aws4_request"
		if q.Get("X-Amz-Credential") != "AKIDENV/"+scope {
			t.Errorf("%s: the credential is %s, want %s", c.host, q.Get("X-Amz-Credential"), scope)
		}
		signature := q.Get("X-Amz-Signature")
		q.Del("X-Amz-Signature")
		empty := sha256.Sum256(nil)
		canonical := "GET\n/\n" + strings.ReplaceAll(q.Encode(), "+", "%20") + "\nhost:" + c.host + ":5432\n\nhost\n" + hex.EncodeToString(empty[:])
		hash := sha256.Sum256([]byte(canonical))
		key := []byte("AWS4canary-env")
		for _, part := range []string{date[:8], c.want, "rds-db", "aws4_request", "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex.EncodeToString(hash[:])} {
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(part))
			key = mac.Sum(nil)
		}
		if hex.EncodeToString(key) != signature {
			t.Errorf("%s: the signature is wrong", c.host)
		}
	}
	if _, err := (aws.Account{Env: []string{"AWS_EC2_METADATA_DISABLED=true", "AWS_REGION=x"}}).Token(t.Context(), "", "h", 5432, "u"); err == nil || !strings.HasPrefix(err.Error(), "a token for RDS: no credentials") {
		t.Errorf("without credentials: %v", err)
	}
}
