package lambda

import (
	"context"
	"time"

	runtime "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// RuntimeVariable is set where the program runs as a function.
const RuntimeVariable = "AWS_LAMBDA_RUNTIME_API"

// Serve answers events until the sandbox ends. It does not return.
func Serve(f *Function) { runtime.Start(Handler(f)) }

// Handler is a function as Lambda's runtime calls it.
func Handler(f *Function) runtime.Handler { return handler{f} }

// handler is Lambda's view of a function.
type handler struct{ *Function }

func (h handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	c := call{deadline: h.now().Add(time.Minute)}
	if d, ok := ctx.Deadline(); ok {
		c.deadline = d
	}
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		c.requestID, c.function = lc.AwsRequestID, lc.InvokedFunctionArn
	}
	// Calls to AWS that do not come back are to be told before the deadline.
	ctx, cancel := context.WithDeadline(ctx, c.deadline.Add(-50*time.Millisecond))
	defer cancel()
	return h.handle(ctx, c, payload)
}
