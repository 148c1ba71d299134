package config

// lambdaKeys are the settings of Skein as an AWS Lambda function (docs/lambda.md).
var lambdaKeys = []Key{
	{Name: "skein.lambda.margin", Forms: global, Shape: Duration, Note: "20s: how long before the function's deadline no more scripts are begun; default: a tenth of its limit, 1 to 30 seconds"},
	{Name: "skein.lambda.hops", Kind: Integer, Default: "200", Min: 1, Forms: global, Note: "how often a run may go on in another invocation"},
	{Name: "skein.lambda.maxTime", Default: "24h", Forms: global, Shape: Duration, Note: "how long a run may take over all its invocations"},
	{Name: "skein.lambda.idleHops", Kind: Integer, Default: "3", Min: 1, Forms: global, Note: "invocations in a row that may begin a script and finish none"},
	{Name: "skein.lambda.wakeTime", Default: "3m", Forms: global, Shape: Duration, Note: "how long a database that does not answer is waited for, such as a Serverless cluster that wakes up"},
	{Name: "skein.lambda.onRelease", Default: "deploy", Forms: global, Words: []string{"deploy", "promote", "migrate", "info", "validate"}, Note: "what the arrival of a release.json in the bucket does"},
	{Name: "skein.ssm.instance", Forms: global, Note: "the instance that runs events with via=ssm: i-0123…, or mi-… of a machine of one's own"},
	{Name: "skein.ssm.command", Default: "skein", Forms: global, Note: "the program there; it may have a prefix such as sudo -u deploy"},
	{Name: "skein.ssm.directory", Forms: global, Note: "the folder there that holds skein.toml"},
	{Name: "skein.ssm.timeout", Default: "48h", Forms: global, Shape: Duration, Note: "how long the command may take there, at most 48h"},
}
