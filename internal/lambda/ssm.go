package lambda

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/aws"
)

// A host has no time limit. Where an event says "via": "ssm", the function has Systems Manager run Skein there, waits for
// its end, over several invocations if need be, and answers as if it had run here. SSM keeps 24,000 characters of what a
// command prints, so the document travels packed: that is enough for some thousand migrations.

// pollEvery is how often the command's state is asked for.
const pollEvery = 2 * time.Second

// viaSSM follows a request on the host of skein.ssm.instance. It needs ssm:SendCommand on the document AWS-RunShellScript
// and the instance, and ssm:GetCommandInvocation.
func viaSSM(ctx context.Context, s *Slice) (Answer, error) {
	instance := s.Opened.Settings.Text("skein.ssm.instance")
	run := *s.Request.Run
	if run.Command == "" {
		if instance == "" {
			return Answer{}, &refusal{"via is ssm, and no instance is set", "set skein.ssm.instance (SKEIN_SSM_INSTANCE) to the id of the host"}
		}
		var err error
		if run.Command, err = s.sendCommand(ctx, instance); err != nil {
			return Answer{}, unlessRefused(err)
		}
		run.Host = instance
		s.log.logger.Info("command sent", "ssmCommand", run.Command, "instance", instance)
	}
	s.Request.Run = &run
	for {
		found, err := s.invocation(ctx, run)
		if err != nil {
			return Answer{}, unlessRefused(err)
		}
		if found.ended() {
			return s.remoteAnswer(found)
		}
		if !s.function.now().Add(pollEvery).Before(s.begin) {
			return s.goOn(ctx, Answer{Applied: []Applied{}}, slice{left: -1})
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return Answer{}, &outage{ctx.Err()}
		}
	}
}

// unlessRefused makes an outage of an error that trying again may mend.
func unlessRefused(err error) error {
	if e, ok := errors.AsType[*aws.Error](err); ok && !aws.Busy(e) {
		return &refusal{"Systems Manager: " + e.Error(), "docs/lambda.md lists what the role and the host need"}
	}
	return &outage{err}
}

// sendCommand begins the run on the host and gives the command's id.
func (s *Slice) sendCommand(ctx context.Context, instance string) (string, error) {
	seconds := strconv.Itoa(int(s.Opened.Settings.Duration("skein.ssm.timeout").Seconds()))
	parameters := map[string][]string{"commands": {s.script()}, "executionTimeout": {seconds}}
	if dir := s.Opened.Settings.Text("skein.ssm.directory"); dir != "" {
		parameters["workingDirectory"] = []string{dir}
	}
	var answer struct {
		Command struct{ CommandID string }
	}
	err := s.ssm(ctx, "SendCommand", map[string]any{
		"DocumentName": "AWS-RunShellScript", "InstanceIds": []string{instance}, "Parameters": parameters,
		"Comment": "skein " + s.Request.Command + ", run " + s.Request.Run.ID,
	}, &answer)
	return answer.Command.CommandID, err
}

// script is what the host's shell runs. Its exit code is Skein's.
func (s *Slice) script() string {
	r := s.Request
	words := []string{s.Opened.Settings.Text("skein.ssm.command"), r.Command, "-outputType=json", "-environment=" + quote(r.Environment)}
	if r.Target != "" {
		words = append(words, "-target="+quote(r.Target))
	}
	if r.Release != "" && !r.Arrived {
		words = append(words, "-locations="+quote(releaseLocation(r.Release)))
	}
	return "out=$(" + strings.Join(words, " ") + `); code=$?; printf %s "$out" | gzip -c | base64 | tr -d '\n'; exit $code`
}

// quote makes one word of a text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// remote is what SSM says of a command on a host.
type remote struct {
	Status                string
	StatusDetails         string
	ResponseCode          int
	StandardOutputContent string
	StandardErrorContent  string
}

func (r remote) ended() bool {
	switch r.Status {
	case "Pending", "InProgress", "Delayed", "Cancelling":
		return false
	}
	return true
}

// invocation asks for the state of the command. In its first moments SSM does not know it yet.
func (s *Slice) invocation(ctx context.Context, run Run) (remote, error) {
	var r remote
	err := s.ssm(ctx, "GetCommandInvocation", map[string]any{"CommandId": run.Command, "InstanceId": run.Host}, &r)
	if e, ok := errors.AsType[*aws.Error](err); ok && e.Kind == "InvocationDoesNotExist" && s.function.now().Sub(run.Started) < time.Minute {
		return remote{Status: "Pending"}, nil
	}
	return r, err
}

func (s *Slice) ssm(ctx context.Context, action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := s.function.caller().Do(ctx, aws.Call{
		Service: "ssm", Body: body, Header: map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM." + action},
	})
	if err != nil {
		return err
	}
	return json.Unmarshal(answer.Body, out)
}

// document is what is read of the documents that Skein prints.
type document struct {
	Database, TargetSchemaVersion, SchemaVersion string
	Migrations                                   []struct {
		Version, State, Filepath string
		ExecutionTime            int64
	}
	MigrationsRemaining []json.RawMessage
	Warnings            []string
	InvalidMigrations   []struct {
		Version, Filepath string
		ErrorDetails      struct{ ErrorCode, ErrorMessage string }
	}
	Error *struct {
		ErrorCode, Message, SQLState, Path string
		LineNumber                         int
	}
}

// remoteAnswer makes an answer of what the command printed.
func (s *Slice) remoteAnswer(r remote) (Answer, error) {
	for line := range strings.Lines(r.StandardErrorContent) {
		s.log.logger.Info(strings.TrimRight(line, "\n"), "from", "stderr of the host")
	}
	d, err := unpack(r.StandardOutputContent)
	a := Answer{Status: StatusSucceeded, Target: d.Database, Applied: []Applied{}, Warnings: d.Warnings, Version: d.TargetSchemaVersion, Pending: len(d.MigrationsRemaining)}
	kind := skein.KindInternal
	if r.ResponseCode > 0 && r.ResponseCode <= int(skein.KindInterrupted)+1 {
		kind = skein.Kind(r.ResponseCode - 1)
	}
	switch {
	case r.Status != "Success" || err != nil || d.Error != nil:
		a.Status = StatusFailed
		a.Error = &Fault{Kind: kind.String(), Hint: "see what it wrote: aws ssm get-command-invocation --command-id " + s.Request.Run.Command + " --instance-id " + s.Request.Run.Host}
		if e := d.Error; e != nil {
			a.Error.Code, a.Error.Message, a.Error.SQLState, a.Error.Script, a.Error.Line = e.ErrorCode, s.log.mask(e.Message), e.SQLState, e.Path, e.LineNumber
		} else {
			a.Error.Message = strings.TrimSpace(fmt.Sprintf("the command ended on the host with %s, exit code %d: %s", r.StatusDetails, r.ResponseCode, s.log.mask(lastLine(r.StandardErrorContent))))
		}
	}
	s.remoteLists(&a, d)
	return a, nil
}

func (s *Slice) remoteLists(a *Answer, d document) {
	switch s.Request.Command {
	case "info":
		a.Version = d.SchemaVersion
		for _, m := range d.Migrations {
			a.Migrations = append(a.Migrations, Migration{Script: m.Filepath, Version: m.Version, State: m.State})
			if m.State == "Pending" || m.State == "Outdated" {
				a.Pending++
			}
		}
	case "validate":
		for _, m := range d.InvalidMigrations {
			a.Problems = append(a.Problems, Problem{Code: m.ErrorDetails.ErrorCode, Script: m.Filepath, Version: m.Version, Message: m.ErrorDetails.ErrorMessage})
		}
		if len(a.Problems) > 0 && a.Error != nil && a.Error.Message == "" {
			a.Error.Message = fmt.Sprintf("%d problems", len(a.Problems))
		}
	default:
		for _, m := range d.Migrations {
			a.Applied = append(a.Applied, Applied{Script: m.Filepath, Version: m.Version, Milliseconds: m.ExecutionTime})
		}
		if a.Status == StatusSucceeded && len(a.Applied) == 0 {
			a.Status = StatusNothing
		}
	}
}

// unpack reads the packed document.
func unpack(text string) (document, error) {
	var d document
	packed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return d, fmt.Errorf("what the command printed is cut or not Skein's: %w", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return d, err
	}
	plain, err := io.ReadAll(io.LimitReader(z, 64<<20))
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(plain, &d)
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
