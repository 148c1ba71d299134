package sdk

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"

	account "github.com/skein-db/skein/internal/secret/aws"
)

// TestToken: a token for RDS is, byte for byte, the one that the SDK makes at the same moment. There is a slash behind the port,
// as in the tokens of the aws command; this SDK writes none, and signs one all the same.
func TestToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // where the clock stands still
		for _, c := range []struct {
			region, host, user, session string
			port                        uint16
		}{
			{"eu-west-1", "shop.cluster-abc.eu-west-1.rds.amazonaws.com", "app", "", 5432},
			{"eu-west-1", "shop.cluster-abc.eu-west-1.rds.amazonaws.com", "app", "a/session+token==", 5432},
			{"cn-north-1", "shop.abc.cn-north-1.rds.amazonaws.com.cn", "an app/é&+=%", "s", 5433},
			{"us-east-1", "db.example.com", "A_B.c~d-e@f", "", 1},
		} {
			a := account.Account{Env: []string{"AWS_ACCESS_KEY_ID=AKIDTOKEN", "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_SESSION_TOKEN=" + c.session}}
			ours, err := a.Token(t.Context(), c.region, c.host, c.port, c.user)
			need(t, ours, err)
			theirs, err := auth.BuildAuthToken(t.Context(), fmt.Sprintf("%s:%d", c.host, c.port), c.region, c.user, credentials.NewStaticCredentialsProvider("AKIDTOKEN", secretKey, c.session))
			if strings.Replace(need(t, theirs, err), "?", "/?", 1) != ours.Reveal() {
				t.Errorf("\nours      %s\nthe SDK's %s", ours.Reveal(), theirs)
			}
			if other, err := a.Token(t.Context(), c.region, c.host, c.port, c.user+"x"); err != nil || other.Reveal() == ours.Reveal() {
				t.Errorf("the token of another user is the same (%v)", err)
			}
		}
	})
}
