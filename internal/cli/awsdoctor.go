package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/skein-db/skein/internal/doctor"
)

// awsDoctor looks whether a first run would find what it needs. Settings that cannot be read are a finding too.
func (r *runner) awsDoctor(ctx context.Context) int {
	var found []doctor.Finding
	err := r.load(ctx)
	if err == nil {
		err = r.prepare()
	}
	if err != nil {
		found = doctor.Unread(err)
	} else {
		found = doctor.Look(ctx, doctor.Patient{World: r.process.world(), Settings: r.settings, Engine: r.engine, Secrets: r.console.redactor})
	}
	if ctx.Err() != nil {
		return r.fail(ctx.Err())
	}
	first := doctor.First(found)
	if r.console.json {
		checks := list{}
		for _, f := range found {
			o := object{"check": f.Check, "status": string(f.Status), "text": f.Text, "next": nil, "kind": nil}
			if f.Next != "" {
				o["next"] = f.Next
			}
			if f.Status == doctor.Failed {
				o["kind"] = f.Kind.String()
			}
			checks = append(checks, o)
		}
		o := object{"operation": "aws doctor", "environment": nil, "healthy": first == nil, "checks": checks}
		if r.settings != nil {
			o["environment"] = r.settings.Environment()
		}
		r.document(o)
	} else {
		r.console.result(doctorText(found), "")
	}
	switch {
	case first == nil:
		return 0
	case r.console.flyway:
		return 1
	}
	return codeOf(first.Kind)
}

func doctorText(found []doctor.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%-14s%-13s%s\n", f.Status, f.Check, f.Text)
		if f.Next != "" {
			fmt.Fprintf(&b, "%27shint: %s\n", "", f.Next)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
