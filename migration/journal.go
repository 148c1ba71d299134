package migration

import "fmt"

// JournalState is what is known of a statement of a script that cannot be one transaction.
type JournalState string

const (
	// JournalIntent stands before the statement. Found later it says that nobody knows how the statement ended.
	JournalIntent JournalState = "intent"
	// JournalFailed says that the server refused it; what it left behind may have to go.
	JournalFailed JournalState = "failed"
	// JournalDone says that it was carried out.
	JournalDone JournalState = "done"
)

// JournalEntry is the record of one statement of a script.
type JournalEntry struct {
	Statement int    // its place in the script, callbacks around it included, from 0
	Hash      string // of its text, placeholders replaced
	Start     string // the beginning of its text
	State     JournalState
	Before    string // what the catalog said of its object before (txblock's probes)
	AfterRank int    // the history's highest rank at that time
	PID       int    // the backend that wrote this
	Written   string // when, in the session's time zone
}

// Resumption says where a script goes on.
type Resumption struct {
	Next    int           // the first statement that is not known to be done
	Open    *JournalEntry // what is recorded of that one, if anything: it may be done, half done or undone
	Changed bool          // its text is another now
}

// Resume decides where a script goes on of which an earlier run has left records. hashes are those of its statements
// now. Records from before the script was applied, undone or baselined say nothing any more: rows is the history.
//
// A script may be corrected from the first statement on that is not done. One that differs before that is an *Error.
func Resume(s *Script, hashes []string, entries []JournalEntry, rows []Row) (Resumption, error) {
	var r Resumption
	for i := range entries {
		e := &entries[i]
		if outdated(s, *e, rows) {
			return Resumption{}, nil
		}
		if e.State != JournalDone {
			r.Open = e
			continue
		}
		if e.Statement >= len(hashes) || hashes[e.Statement] != e.Hash {
			return Resumption{}, textChanged(s, *e)
		}
		r.Next = e.Statement + 1
	}
	if r.Open != nil && r.Open.Statement < r.Next {
		r.Open = nil // settled by what came after it
	}
	r.Changed = r.Open != nil && (r.Open.Statement >= len(hashes) || hashes[r.Open.Statement] != r.Open.Hash)
	return r, nil
}

// StillDone decides about the statement that was open, once the catalog has been asked. One that turns out to be done
// must have the text that it has now.
func (r Resumption) StillDone(s *Script, done bool) (next int, err error) {
	if r.Open == nil || !done {
		return r.Next, nil
	}
	if r.Changed {
		return 0, textChanged(s, *r.Open)
	}
	return r.Open.Statement + 1, nil
}

func textChanged(s *Script, e JournalEntry) error {
	return &Error{
		Code: CodeConfiguration, Path: s.Path,
		Message: fmt.Sprintf("statement %d of %s was carried out on %s with another text than it has now, and the script was not finished", e.Statement+1, s.Path, e.Written),
		Hint:    "put that text back and run again, or say that the rest is done by hand: skein repair -markApplied=" + s.Version.String() + " -reason=...",
	}
}

// outdated reports whether the history has moved past an entry: the script has been recorded since.
func outdated(s *Script, e JournalEntry, rows []Row) bool {
	for _, row := range rows {
		if row.Rank > e.AfterRank && row.Script == AbbreviateScript(s.Path) {
			return true
		}
	}
	return len(rows) > 0 && rows[len(rows)-1].Rank < e.AfterRank
}
