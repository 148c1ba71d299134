package aws

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/skein-db/skein/internal/secret"
)

// tokenLife is how long RDS takes a token; a session that it opened may outlast it.
const tokenLife = 15 * time.Minute

// emptyHash is the SHA-256 of no bytes: the request that is signed has no body.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Token makes the password of a database user that has rds_iam: a request for a login, signed here and good for a quarter
// of an hour. RDS is not asked. The host has to be the instance's or the cluster's own name, since it is signed too. region "" is the one in the
// host's name, else that of Read.
func (a Account) Token(ctx context.Context, region, host string, port uint16, user string) (secret.Text, error) {
	fail := func(err error) (secret.Text, error) {
		return secret.Text{}, fmt.Errorf("a token for RDS: %w", err)
	}
	if region == "" {
		region = regionOf(host)
	}
	if region == "" {
		var err error
		if region, err = a.region(""); err != nil {
			return fail(err)
		}
	}
	credentials, err := a.credentials(ctx, region)
	if err != nil {
		return fail(err)
	}
	query := url.Values{"Action": {"connect"}, "DBUser": {user}, "X-Amz-Expires": {strconv.Itoa(int(tokenLife / time.Second))}}
	address := url.URL{Scheme: "https", Host: net.JoinHostPort(host, strconv.Itoa(int(port))), Path: "/", RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return fail(fmt.Errorf("the host %s cannot be used", host))
	}
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, credentials, request, emptyHash, "rds-db", region, time.Now().UTC())
	if err != nil {
		return fail(err)
	}
	return secret.New(strings.TrimPrefix(signed, "https://")), nil
}

// regionOf is the region in the name of an endpoint of RDS: x.abc.eu-west-1.rds.amazonaws.com, and in China
// x.abc.rds.cn-north-1.amazonaws.com.cn.
func regionOf(host string) string {
	m := regexp.MustCompile(`\.(?:([a-z]+(?:-[a-z]+)+-\d)\.rds\.amazonaws\.(?:com|com\.cn|eu)|rds\.(cn-[a-z]+-\d)\.amazonaws\.com\.cn)$`).FindStringSubmatch(strings.ToLower(host))
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}
