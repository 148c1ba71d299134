// Command bare is the least that a function in Go can do with a database: what Skein's start is measured beside.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/jackc/pgx/v5"
)

func main() {
	lambda.Start(func(ctx context.Context) (int, error) {
		conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
		if err != nil {
			return 0, err
		}
		var one int
		err = conn.QueryRow(ctx, "select 1").Scan(&one)
		_ = conn.Close(ctx) // what it answers changes nothing
		return one, err
	})
}
