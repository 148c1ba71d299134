package pipeline

import (
	"time"

	"github.com/skein-db/skein/migration"
)

// Release is what is to be deployed: an immutable set of scripts.
type Release struct {
	Name    string
	Digest  string // "sha256:…" over all that is in it
	Created time.Time
	Author  string // who made it, "" when nobody says so
	Key     string // the key whose signature over the manifest holds, in the form of Pipeline.People; "" without one
	Unsound string // why the signature does not hold; "" when it holds or there is none
	Scripts []Script
}

// Script is one migration of a release: versioned, repeatable, undo or baseline.
type Script struct {
	Kind        migration.Kind
	Version     migration.Version // zero for repeatables
	Description string
	Path        string // as the history's column "script" holds it
	Checksum    *int32 // as the history records it
	// RawChecksum is a repeatable's checksum before placeholders were replaced. A recorded one equal to either is a match.
	RawChecksum *int32
	SHA256      string // of the file's bytes, in hexadecimal
}

// TargetFacts is what a survey found in one target, with the release's scripts loaded for it.
type TargetFacts struct {
	Name        string // unique within its environment
	Environment string
	Unreachable string // why the survey failed; "": all else here is known
	Silent      bool   // it failed because the server did not answer, or not as it should

	// Misplaced is why the engine would refuse the target as not the one that was meant, and ReadOnly why it could write nothing;
	// "": it would not. Whoever has asked the engine may leave Pinned and Expected out: they are compared here as they stand.
	Misplaced string
	ReadOnly  string

	Identity Identity  // what the target is
	Pinned   *Identity // what the target itself says it is: the row that `skein pin` left in it; nil: none
	Expected *Identity // what the settings say it is; nil: nothing. Empty fields of it are not compared

	Applied []Applied // every row of the schema history, in the order of rank
	Pending []Step    // what migrate would run with the release, in order; for Back: what undo would run
	// Scripts are the release's scripts as they read for this target: the checksum of a repeatable depends on its
	// placeholders. nil: Release.Scripts.
	Scripts []Script
	// NoPlan is why the survey could not make a plan: a failed migration in the history, scripts that do not resolve; "": it could.
	NoPlan string
	// Skipped are scripts that are neither applied nor in the plan, by path, and why, in Flyway's words: "Ignored", "Above Target".
	Skipped  map[string]string
	Problems []string // what validate finds wrong, one a line each, pending ones left out

	Key         string    // the identity as approvals name it
	Fingerprint string    // of the plan
	History     string    // hash over the schema history
	Busy        string    // who holds the migration lock, in words; "": nobody
	Clock       time.Time // the server's clock when the survey asked, zero: not known. Only its distance from now counts
}

// Identity is what tells one database from another.
type Identity struct {
	Environment string // only in pins
	System      string // system_identifier of the cluster
	Cluster     string // Aurora's cluster id
	Database    string
	Host        string
}

// Applied is one row of the schema history, with what Skein's side table knows of it.
type Applied struct {
	Rank        int
	Version     migration.Version
	Description string
	Script      string
	Type        migration.Type
	Checksum    *int32
	Success     bool
	// At is when it was applied. Zoned: it is that instant, from the side table. Otherwise it is Flyway's column, which has
	// no zone: only the digits that At shows count, and the instant may be up to 12 hours later or 14 earlier than they are in UTC.
	At       time.Time
	Zoned    bool
	Duration time.Duration // how long it took
	SHA256   string        // of the script's bytes, "" when it was not recorded
	Release  string        // the release that brought it, "" when it was not recorded
	Digest   string        // that release's digest
	Releaser string        // who deployed it
	// MissingOK says that the settings let the migration be missing among the scripts (ignoreMigrationPatterns). It does not
	// speak of migrations above the release's highest version: "future" ones are tolerated by default, and deploying an
	// older release over them is what must not happen unseen.
	MissingOK bool
}

// Step is one script of a target's plan.
type Step struct {
	Kind    migration.Kind
	Version migration.Version
	Path    string
	SHA256  string
}

// Evidence is what is known besides the databases, all about the environment that Next is asked for. Maps are by target.
// Nil means that nobody has asked yet; Next says so when it matters.
type Evidence struct {
	Approvals     []Approval
	RestorePoints map[string]RestorePoint
	Command       *Answer
	Queries       map[string]Answer
	Running       *Running  // another deployment to this environment that is not over
	Factor        float64   // how much longer scripts take here than in the environment before; 0: 1
	Override      *Override // gates that a person answers for passing
}

// Approval is one person's consent, with what checking it found.
type Approval struct {
	Person      string
	Key         string // the key that signed it, in the form of Pipeline.People
	Environment string
	Release     string
	Digest      string
	Targets     []ApprovedTarget
	Given       time.Time
	Expires     time.Time // zero: it does not end by itself
	SignatureOK bool      // Key's signature over the approval's bytes holds
	Unsound     string    // why not, in words
}

// ApprovedTarget is what an approval was given for.
type ApprovedTarget struct {
	Name        string
	Identity    string // TargetFacts.Key
	Fingerprint string
	History     string
}

// RestorePoint is a state that a target can be brought back to.
type RestorePoint struct {
	At   time.Time // the state is the one of this moment
	What string    // "pitr", or what the command printed: a snapshot's name
	Err  string    // why there is none
}

// Answer is what a command or query of the user's said.
type Answer struct {
	Yes  bool
	Text string // its words, or why it could not be asked
}

// Running is a deployment that is not over.
type Running struct {
	ID       string
	Release  string
	Releaser string
	Since    time.Time
}

// Override is a person's word that gates are to be passed although they are closed. It is noted in the rollout.
type Override struct {
	Person string // must be among Pipeline.People
	Why    string // must not be empty
	Gates  []Gate
}
