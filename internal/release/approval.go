package release

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Approval is a person's word that a release may be deployed to the targets of an environment as they are now. It can be
// checked without a network or a database; one changed byte voids it.
type Approval struct {
	Format      int              `json:"format"`
	Release     string           `json:"release"`
	Digest      string           `json:"digest"`
	Environment string           `json:"environment"`
	Person      string           `json:"person"`
	Targets     []ApprovedTarget `json:"targets"`
	Given       time.Time        `json:"given"`   // UTC
	Expires     time.Time        `json:"expires"` // UTC
	Signature   *Signature       `json:"signature,omitempty"`
}

// ApprovedTarget is what the person saw of one database: who it is, what would run, and what was there.
type ApprovedTarget struct {
	Name        string `json:"name"`
	Identity    string `json:"identity"`
	Fingerprint string `json:"fingerprint"` // of the plan
	HistoryHash string `json:"historyHash"`
}

// Sign gives the approval with a signature; the signer should be Person. Format and the form of the times are set.
func (a Approval) Sign(sign Signer) (Approval, error) {
	a.Format, a.Given, a.Expires = Format, a.Given.UTC(), a.Expires.UTC()
	s, err := sign(NamespaceApproval, a.payload())
	if err != nil {
		return Approval{}, err
	}
	if _, err := s.check(NamespaceApproval, a.payload()); err != nil {
		return Approval{}, err
	}
	a.Signature = &s
	return a, nil
}

func (a Approval) payload() []byte {
	a.Signature = nil
	return encode(a)
}

// Check tells whether Person has signed the approval as it is here, with a key that people lists, and whether it has
// begun and not ended at now. Whether it fits a release and its targets is the caller's to compare. Its error is a
// *SignatureError.
func (a Approval) Check(people People, now time.Time) error {
	what := "approval of " + a.Person
	if err := signedBy(what, a.Person, a.Signature, NamespaceApproval, a.payload(), people); err != nil {
		return err
	}
	switch {
	case !now.Before(a.Expires):
		return &SignatureError{What: what, Reason: "it has expired, on " + a.Expires.UTC().Format(time.RFC3339), Hint: "approve it again: skein approve"}
	case now.Before(a.Given):
		return &SignatureError{What: what, Reason: "it is given for a time to come, from " + a.Given.UTC().Format(time.RFC3339) + " on",
			Hint: "compare the clocks of the two machines"}
	}
	return nil
}

// ApprovalName is the file that an approval is kept in, beside the release. No other approval has it.
func (a Approval) ApprovalName() string {
	sum := sha256.Sum256(a.Encode())
	return fmt.Sprintf("%s-%s-%s-%x.json", fileWord(a.Environment), fileWord(a.Person), a.Given.UTC().Format("20060102T150405Z"), sum[:4])
}

// fileWord keeps of a name what every store takes in a file's name.
func fileWord(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r > 0x7e || r <= ' ' || bytes.ContainsRune([]byte(`/\:*?"<>|-`), r) {
			out[i] = '_'
		}
	}
	return string(out)
}

// Encode writes an approval. The same approval gives the same bytes.
func (a Approval) Encode() []byte { return encode(a) }

// DecodeApproval reads what Encode wrote. Another format, an unknown field and any byte that Encode would not have
// written are errors.
func DecodeApproval(text []byte) (Approval, error) {
	var a Approval
	if err := decode(text, &a); err != nil {
		return Approval{}, fmt.Errorf("not an approval: %w", err)
	}
	if !bytes.Equal(a.Encode(), text) {
		return Approval{}, errors.New("not an approval as it was written: its form was changed")
	}
	return a, nil
}
