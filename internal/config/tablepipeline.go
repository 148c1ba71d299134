package config

// pipelineKeys are the settings of environments, releases, rollouts over several databases, and of those who are told.
var pipelineKeys = []Key{
	// The way of a release.
	{Name: "skein.pipeline", Kind: List, Forms: global, Whole: true, Note: "the environments, in the order that a release passes through them; default: as the file has them"},
	{Name: "skein.releases", Forms: global, Whole: true, Shape: Location, Note: "where releases are kept: filesystem:releases or s3://bucket/prefix"},
	{Name: "skein.releaser", Forms: global, Note: "who deploys; default: the user of the operating system"},
	{Name: "skein.people.*", Kind: Map, Lists: true, Forms: Conf | TOML, Shape: PublicKey, Note: "the public keys of a person: ssh-ed25519 AAAA…, or ed25519 and 32 bytes in base64; in files only"},
	{Name: "skein.signKey", Forms: global, Note: "the private key that signs: a file of OpenSSH's or PKCS 8, ed25519; a .pub file asks the ssh-agent"},
	{Name: "skein.signReleases", Kind: Boolean, Default: "false", Forms: global, Note: "refuse a release that nobody of people has signed"},
	{Name: "skein.allowBarePrefix", Kind: Boolean, Default: "false", Forms: global, Note: "deploy from files without a manifest; never to production"},
	{Name: "skein.barePrefixQuiet", Default: "5m", Forms: global, Shape: Duration, Note: "for how long such files must have been unchanged"},

	// The databases of an environment.
	{Name: "skein.targets", Kind: List, Forms: global, URL: true, Note: "databases, each a URL or name=URL; default: the environment's url"},
	{Name: "skein.targetsQuery", Forms: global, Note: "SQL on targetsFrom that returns a row for each target: name, and url or schema"},
	{Name: "skein.targetsFrom", Forms: global, URL: true, Note: "the URL of the database that targetsQuery asks; default: the environment's url"},
	{Name: "skein.targetSchemas", Kind: List, Forms: global, Note: "schemas, each a target of its own; * stands for any characters"},

	// A rollout over several databases.
	{Name: "skein.waves", Kind: List, Forms: global, Shape: Wave, Note: "how many targets at a time: 1, 10%, rest; default: all in one"},
	{Name: "skein.concurrency", Kind: Integer, Default: "10", Min: 1, Max: 10000, Forms: global, Note: "targets worked on at once"},
	{Name: "skein.maxConnections", Kind: Integer, Default: "0", Max: 100000, Forms: global, Note: "connections to one server at once; 0: no bound of its own"},
	{Name: "skein.failureBudget", Default: "0", Forms: global, Shape: Share, Note: "how many targets may fail before the rollout stops: 0, 5, 2%"},
	{Name: "skein.healthQuery", Forms: global, Note: "SQL that must answer true on each target after its wave"},
	{Name: "skein.healthWait", Default: "5m", Forms: global, Shape: Duration, Note: "for how long a wave may take to get healthy"},

	// What has to hold before a release goes into an environment.
	{Name: "skein.gates.previous", Kind: Boolean, Default: "true", Forms: global, Note: "the environment before has the release, byte for byte"},
	{Name: "skein.gates.soak", Default: "0", Forms: global, Shape: Duration, Note: "for how long it has to have been there: 24h, 2d"},
	{Name: "skein.gates.validate", Kind: Boolean, Default: "true", Forms: global, Note: "validate finds no problem on any target"},
	{Name: "skein.gates.approvals", Kind: Integer, Default: "0", Max: 100, Forms: global, Note: "how many people of people, none of them the author, have to agree"},
	{Name: "skein.gates.approvalExpiry", Default: "3d", Forms: global, Shape: Duration, Note: "for how long an approval counts"},
	{Name: "skein.gates.windows", Kind: List, Forms: global, Note: "when it may begin: mon-thu 20:00-23:00; default: at any time"},
	{Name: "skein.gates.freezes", Kind: List, Forms: global, Note: "dates on which it may not: 2026-12-24, 2026-12-24..2027-01-02"},
	{Name: "skein.gates.timeZone", Default: "UTC", Forms: global, Shape: TimeZone, Note: "of windows and freezes: Europe/Berlin"},
	{Name: "skein.gates.restorePoint", Default: "none", Forms: global, Note: "none, pitr (the time is recorded), or a command that makes a snapshot or clone"},
	{Name: "skein.gates.command", Forms: global, Note: "a command that must end with exit status 0"},
	{Name: "skein.gates.query", Forms: global, Note: "SQL that must answer true on each target"},

	// Which database it is. Written by skein pin.
	{Name: "skein.identity.system", Forms: global, Note: "the system_identifier of the server, as pin has written it"},
	{Name: "skein.identity.cluster", Forms: global, Note: "the id of the Aurora cluster"},
	{Name: "skein.identity.database", Forms: global, Note: "the name of the database"},
	{Name: "skein.identity.host", Forms: global, Note: "the host"},

	// Who is told.
	{Name: "skein.notify.on", Kind: List, Default: "failed,blocked,done", Forms: global, Words: []string{"failed", "blocked", "done", "wave"}, Note: "which events are told"},
	{Name: "skein.notify.slack", Forms: global, Secret: true, Shape: HTTP, Note: "the URL of an incoming webhook of Slack's kind"},
	{Name: "skein.notify.webhook", Forms: global, Secret: true, Shape: HTTP, Note: "a URL that JSON is posted to"},
	{Name: "skein.notify.webhookSecret", Forms: global, Secret: true, Note: "the key that the posts to webhook are signed with"},
	{Name: "skein.notify.smtp", Forms: global, URL: true, Shape: SMTP, Note: "the mail server: smtp://user:password@host:587, smtps://host"},
	{Name: "skein.notify.from", Forms: global, Shape: Mail, Note: "the sender of mails"},
	{Name: "skein.notify.to", Kind: List, Forms: global, Shape: Mail, Note: "who gets mails"},
}
