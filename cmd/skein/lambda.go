package main

import (
	"context"
	"io"
	"os"

	"github.com/skein-db/skein/internal/cli"
	"github.com/skein-db/skein/internal/lambda"
)

// serve is the program as an AWS Lambda function. Its folder is the zip's, where skein.toml and sql may be.
func serve(dir string) {
	lambda.Serve(&lambda.Function{
		Env: os.Environ(), Out: os.Stdout,
		Open: func(ctx context.Context, args []string, warnings io.Writer) (*lambda.Opened, error) {
			o, err := cli.Open(ctx, cli.Process{
				Args: append([]string{"skein"}, args...), Env: os.Environ(), Dir: dir, Install: dir, Stdout: io.Discard, Stderr: warnings,
			})
			if err != nil {
				return nil, err
			}
			return &lambda.Opened{Engine: o.Engine, Settings: o.Settings, Redactor: o.Redactor}, nil
		},
	})
}
