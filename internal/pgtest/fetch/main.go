// Command fetch gets PostgreSQL of the given major versions for the tests and
// prints the folder of each one's binaries:
//
//	SKEIN_TEST_POSTGRES=$(go run ./internal/pgtest/fetch 17) go test ./...
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"

	"github.com/skein-db/skein/internal/pgtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/pgtest/fetch MAJOR...")
		os.Exit(2)
	}
	for _, arg := range os.Args[1:] {
		major, err := strconv.Atoi(arg)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%q is not a major version such as 17\n", arg)
			os.Exit(2)
		}
		dir, err := pgtest.Fetch(ctx, major)
		if err != nil {
			fmt.Fprintf(os.Stderr, "fetch PostgreSQL %d: %v\n", major, err)
			os.Exit(1)
		}
		fmt.Println(dir)
	}
}
