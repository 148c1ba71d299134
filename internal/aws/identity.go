package aws

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"time"
)

// Identity is whose credentials are used.
type Identity struct {
	Account string
	ARN     string
	// Date is the clock of AWS when it answered; zero where it does not say.
	Date time.Time
}

// WhoAmI asks who signs. It takes no permission.
func (c Caller) WhoAmI(ctx context.Context) (Identity, error) {
	form := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}
	answer, err := c.Do(ctx, Call{Service: "sts", Body: []byte(form.Encode()), Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
	if err != nil {
		return Identity{}, err
	}
	var read struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
		ARN     string `xml:"GetCallerIdentityResult>Arn"`
	}
	if err := xml.Unmarshal(answer.Body, &read); err != nil || read.Account == "" {
		return Identity{}, fmt.Errorf("the answer of STS cannot be read (%w)", err)
	}
	return Identity{read.Account, read.ARN, answer.Date}, nil
}
