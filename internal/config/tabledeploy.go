package config

// deployKeys are what the verbs deploy, promote, approve and status are told, in their own names without "deploy.".
var deployKeys = []Key{
	{Name: "deploy.environment", Variable: "-", Forms: Flag, Note: "the word after the verb"},
	{Name: "deploy.release", Variable: "-", Forms: Flag, Note: "the release's name; default: the newest, or what the environment before has proved"},
	{Name: "deploy.backTo", Variable: "-", Forms: Flag, Note: "undo what this release has not"},
	{Name: "deploy.resume", Kind: Boolean, Default: "false", Variable: "-", Forms: Flag, Note: "go on with the release that the last deployment brought"},
	{Name: "deploy.dryRun", Kind: Boolean, Default: "false", Variable: "-", Forms: Flag, Note: "decide and show, and run nothing"},
	{Name: "deploy.override", Kind: List, Variable: "-", Forms: Flag, Note: "gates to pass although they are closed: soak,window; takes a reason and a person of people as releaser"},
	{Name: "deploy.reason", Variable: "-", Forms: Flag, Note: "why gates are overridden"},
	{Name: "deploy.factor", Variable: "-", Default: "1", Forms: Flag, Note: "how much longer scripts take here than in the environment before; for windows"},
	{Name: "deploy.why", Variable: "-", Forms: Flag, Note: "status: the target whose missing scripts are to be explained; ENVIRONMENT or ENVIRONMENT/TARGET"},
	{Name: "deploy.person", Variable: "-", Forms: Flag, Note: "approve: who approves; default: the person of people whose key signs"},
	{Name: "deploy.expires", Variable: "-", Default: "3d", Forms: Flag, Shape: Duration, Note: "approve: for how long the approval counts"},
	{Name: "deploy.yes", Kind: Boolean, Default: "false", Variable: "-", Forms: Flag, Note: "approve: do not ask"},
}
