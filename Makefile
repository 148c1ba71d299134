# make, or make help, says what there is. Everything works from a clean checkout; tests need no server set up.

FUZZTIME ?= 20s
MAJORS   ?= 14 15 16 17 18
EVERY    ?= 8
FLYWAY   ?= $(CURDIR)/bin/flyway/flyway
BENCH    ?= --tools psql,skein,migrate --work tiny,noop,latency --n 1000
FLEET    ?= --n 1000

.PHONY: help build test test-sdk test-race test-matrix conformance canary flyway-live kill-matrix report-screens fuzz bench fleet start-up cover lint cross fmt ci clean lock-queue lambda lambda-runs lambda-bench

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/skein
	CGO_ENABLED=0 go build -trimpath -o bin/skein ./cmd/skein

lambda: ## bin/lambda/skein-arm64.zip and -amd64.zip for AWS Lambda (LAMBDA_FILES="skein.toml sql" go in beside the program)
	@mkdir -p bin/lambda; set -e; for arch in arm64 amd64; do \
		GOOS=linux GOARCH=$$arch CGO_ENABLED=0 go build -tags lambda.norpc -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o bin/lambda/skein-$$arch ./cmd/skein; \
		go run ./internal/lambda/pack bin/lambda/skein-$$arch.zip bin/lambda/skein-$$arch $(LAMBDA_FILES); \
	done

lambda-runs: ## runs as a Lambda function in full length: a minute's plan under 5 s on two servers, 50 kills; migrate, and releases in S3
	SKEIN_LAMBDA_RUNS=all go test -count=1 -v -timeout 20m -parallel 8 -run '^(TestMinutes|TestKills|TestReleaseMinutes|TestReleaseKills)$$' ./internal/lambda

lambda-bench: ## from the start of the function to its first query, beside a bare one, and its memory
	SKEIN_LAMBDA_BENCH=all go test -count=1 -v -timeout 10m -run '^TestStart$$' ./internal/lambda

test: ## all tests, on a PostgreSQL server that they start themselves
	go test ./...

test-sdk: ## our calls to AWS, and the imitations of AWS, against the AWS SDK's clients
	go test -C internal/awstest/sdk ./...

test-race: ## all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race ./...

test-matrix: ## all tests on each PostgreSQL of MAJORS (14 15 16 17 18)
	@set -e; for major in $(MAJORS); do \
		echo "== PostgreSQL $$major"; \
		bin=$$(go run ./internal/pgtest/fetch $$major); \
		SKEIN_TEST_POSTGRES=$$bin go test -count=1 ./...; \
	done

conformance: ## the real migration sets of ../shared/corpora against what Flyway left
	SKEIN_CONFORMANCE=all go test -count=1 -v ./internal/conformance

canary: ## every way in which a secret comes in, with every verb and every output (by default each way meets one output)
	SKEIN_CANARY=all go test -count=1 -timeout 30m -v -run Canary ./internal/cli

flyway-live: ## Flyway and Skein in turn, and Flyway against the recordings (FLYWAY=path; UPDATE=1 records)
	@[ -x "$(FLYWAY)" ] || internal/conformance/flywaylive/fetch.sh "$(dir $(FLYWAY))"
	@mkdir -p bin; echo "a quarter of an hour or more; every test's end is in bin/flyway-live.log"
	@FLYWAY="$(FLYWAY)" go test -count=1 -v -timeout 90m $(if $(UPDATE),-run TestScenariosLive ./internal/conformance -update,./internal/conformance/...) \
		>bin/flyway-live.log 2>&1; status=$$?; \
	grep -E '^(ok|FAIL|panic)|--- (FAIL|SKIP)|_test.go:[0-9]+: [0-9]+ (scenarios|recordings)' bin/flyway-live.log; exit $$status

kill-matrix: ## break runs at one point in EVERY (8) of all their uses of the network, and run them again (docs/reliability.md)
	@mkdir -p bin; echo "some minutes; every point's end is in bin/kill-matrix.log"
	@SKEIN_KILL_MATRIX=$(EVERY) $(if $(wildcard $(FLYWAY)),FLYWAY="$(FLYWAY)") go test -count=1 -v -timeout 3h -parallel 6 ./internal/killmatrix \
		>bin/kill-matrix.log 2>&1; status=$$?; \
	grep -E '^ *\||points ended|^(ok|FAIL|panic)|--- (FAIL|SKIP)|processes$$' bin/kill-matrix.log; exit $$status

report-screens: ## sample reports as a phone, a desktop and a printer show them, into bin/report (needs chromium)
	internal/report/screens.sh bin/report

fuzz: ## every fuzz target for FUZZTIME (20s) each
	.ci/fuzz $(FUZZTIME)

bench: ## time skein beside psql and golang-migrate (BENCH= gives bench.py's flags, BENCH_URL a server)
	bench/run $(BENCH)

fleet: ## a release over a thousand databases beside psql under xargs, one poisoned, the controller killed (FLEET= gives fleet.py's flags)
	BENCH_PROGRAM=fleet.py bench/run $(FLEET)

start-up: build ## what each linked package does before main: milliseconds, bytes, allocations, package
	GODEBUG=inittrace=1 bin/skein version 2>&1 >/dev/null | awk '/^init/ {print $$5, $$8, $$10, $$2}' | sort -n | tail -25

lock-queue: ## what changing a table in use does to those who use it, beside a rule; some 5 minutes on an idle machine (docs/reliability.md)
	SKEIN_LOCK_QUEUE=all go test -count=1 -v -timeout 20m -run '^TestLockQueue$$' . | grep -E ' \| |^(ok|FAIL)|--- FAIL|a read took|the rule took'

cover: ## test coverage by package, and bin/cover.html
	@mkdir -p bin
	go test -coverpkg=./... -coverprofile=bin/cover.out ./...
	go tool cover -html=bin/cover.out -o bin/cover.html
	@go tool cover -func=bin/cover.out | tail -1

lint: ## gofmt, go mod tidy, go vet, golangci-lint
	.ci/lint

cross: ## build for linux, darwin and windows on amd64 and arm64, into bin/cross
	.ci/cross

fmt: ## format the Go files
	gofmt -w .

ci: ## all that a change must pass
	.ci/run

clean: ## remove what the other targets made
	rm -rf bin bench/bin
