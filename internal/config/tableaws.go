package config

// awsKeys are what the verbs of AWS are told, in their own names without "aws.schedule.".
var awsKeys = []Key{
	{Name: "aws.schedule.environment", Variable: "-", Forms: Flag, Note: "the word after the verb: the environment, and the schedule's name"},
	{Name: "aws.schedule.expression", Variable: "-", Forms: Flag, Note: "the words after that: rate(1 hour), cron(0 2 1 * ? *), at(2026-12-24T22:00:00)"},
	{Name: "aws.schedule.timezone", Default: "UTC", Variable: "-", Forms: Flag, Note: "whose clock it means: Europe/Oslo"},
	{Name: "aws.schedule.start", Variable: "-", Forms: Flag, Note: "the moment that a rate is counted from, and nothing happens before it: 2026-12-07T02:00:00Z"},
	{Name: "aws.schedule.command", Default: "migrate", Variable: "-", Forms: Flag, Words: []string{"migrate", "deploy", "promote", "info", "validate", "status", "silence", "doctor"}, Note: "what is done"},
	{Name: "aws.schedule.function", Variable: "-", Forms: Flag, Note: "the ARN of the function, or of the state machine that calls it"},
	{Name: "aws.schedule.role", Variable: "-", Forms: Flag, Note: "the ARN of the role that the schedule calls it with"},
	{Name: "aws.schedule.deadLetter", Variable: "-", Forms: Flag, Note: "the ARN of the queue for events that are given up"},
	{Name: "aws.schedule.disabled", Kind: Boolean, Default: "false", Variable: "-", Forms: Flag, Note: "keep it, and do nothing; =false wakes it up"},
	{Name: "aws.schedule.group", Variable: "-", Forms: Flag, Note: "the group of the schedules; default: the group default, list: all"},
	{Name: "aws.schedule.prefix", Variable: "-", Forms: Flag, Note: "list: those whose names begin so"},
	{Name: "aws.schedule.yes", Kind: Boolean, Default: "false", Variable: "-", Forms: Flag, Note: "delete: do not ask"},
}
