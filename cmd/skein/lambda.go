package main

import (
	"os"

	"github.com/skein-db/skein/internal/lambda"
	"github.com/skein-db/skein/internal/wire"
)

// serve is the program as an AWS Lambda function. Its folder is the zip's, where skein.toml and sql may be.
func serve(dir string) {
	lambda.Serve(&lambda.Function{World: wire.World{Env: os.Environ(), Dir: dir, Install: dir}, Out: os.Stdout})
}
