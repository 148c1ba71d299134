package aws

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
)

// Region is where requests go that name no region: AWS_REGION's, AWS_DEFAULT_REGION's or the profile's.
func (a Account) Region() (string, error) { return a.region("") }

// Credentials finds the credentials that requests are signed with. It is for other rooms that speak to AWS.
func (a Account) Credentials(ctx context.Context) (sdk.Credentials, error) {
	region, err := a.Region()
	if err != nil {
		region = "us-east-1" // only a web identity asks for one, and any will do
	}
	return a.credentials(ctx, region)
}

// Variable is a variable's value, "" when it is not set.
func (a Account) Variable(name string) string { return a.get(name) }
