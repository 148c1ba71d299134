package aws

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Commands are what an event may have the function do.
var Commands = []string{"deploy", "migrate", "info", "validate", "status", "promote", "silence", "doctor"}

// What Scheduler puts into an input when it hands it over.
const (
	scheduledTime = "<aws.scheduler.scheduled-time>"
	executionID   = "<aws.scheduler.execution-id>"
)

// ReadInput says what a schedule has the function do; false: it is none for Skein.
func ReadInput(input string) (command, environment string, ours bool) {
	var event struct{ Command, Environment string }
	if json.Unmarshal([]byte(input), &event) != nil || !slices.Contains(Commands, event.Command) {
		return "", "", false
	}
	return event.Command, event.Environment, true
}

// Input is the event that a schedule hands over, as deploy/aws has it: with the time that was meant, so that an event that comes
// twice is one run. Other fields of an earlier input stay. A target that is a state machine calls the function again by
// itself while a run goes on.
func Input(before, command, environment, target string) string {
	fields := map[string]json.RawMessage{}
	_ = json.Unmarshal([]byte(before), &fields) // of what is no object nothing stays
	quoted := func(text string) json.RawMessage {
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false) // Scheduler looks for its words as they are
		_ = e.Encode(text)     // a text can be written
		return json.RawMessage(strings.TrimSuffix(b.String(), "\n"))
	}
	order := []string{"command", "environment"}
	fields["command"], fields["environment"] = quoted(command), quoted(environment)
	for _, name := range []string{"continue", "scheduledTime", "executionId"} {
		delete(fields, name)
	}
	if strings.Contains(target, ":states:") {
		order, fields["continue"] = append(order, "continue"), quoted("answer")
	}
	if command != "silence" { // which does nothing twice
		order = append(order, "scheduledTime", "executionId")
		fields["scheduledTime"], fields["executionId"] = quoted(scheduledTime), quoted(executionID)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	var b strings.Builder
	for i, name := range order {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(quoted(name)) + ": " + string(fields[name]))
	}
	return "{" + b.String() + "}"
}
