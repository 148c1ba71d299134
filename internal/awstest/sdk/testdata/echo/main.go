// Command echo is a function that answers with its event, and fails where the event says so.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, event json.RawMessage) (json.RawMessage, error) {
		if strings.Contains(string(event), "fail") {
			return nil, errors.New("it was told to fail")
		}
		return event, nil
	})
}
