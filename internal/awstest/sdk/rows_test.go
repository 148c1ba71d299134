package sdk

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	account "github.com/skein-db/skein/internal/secret/aws"
)

// row is an operation that the product asks of AWS.
type row struct {
	action string   // as policies name it
	note   string   // which of several ways to ask
	sites  []string // where the product makes it, "file function"
	// replies are what the services answer: to this operation, and to others on the way to it.
	replies map[string][]reply
	// ours has the product make the call, theirs the SDK's client; both give what they read from the answer. theirs sees the
	// requests of ours, for what is not ours to choose: a token of chance, a payload.
	ours   func(*testing.T, account.Account) any
	theirs func(*testing.T, aws.Config, []taken) any
	// meant are differences of this request that are as they should be, beside those of all; each with its reason.
	meant map[string]string
	// broken is ours again, for answers that are errors: the error's name, and whether it is said to pass.
	broken func(context.Context, account.Account) (kind string, again bool)
	// failing is the SDK's.
	failing func(context.Context, aws.Config) error
}

func (r row) title() string { return r.action + " " + r.note }

func as(env []string) account.Account { return account.Account{Env: env} }

// rows are all operations.
func rows() []row {
	var list []row
	for _, of := range [][]row{secrets(), identities(), schedulers(), functions(), storages()} {
		list = append(list, of...)
	}
	return list
}

// need ends a test whose call failed.
func need[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}
