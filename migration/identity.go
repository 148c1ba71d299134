package migration

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Identity says which database one is. As what is expected, an empty field asks for nothing; as what was found, it was
// not to be had.
type Identity struct {
	Environment string // the name of the environment that it belongs to
	System      string // the system_identifier of the server's cluster of databases; a physical copy has the same
	Cluster     string // on Aurora the names of the cluster's instances, joined by commas; two that share one are the same
	Database    string
	Host        string // host:port, or the folder of a socket
}

// String is the identity for people.
func (i Identity) String() string {
	parts := []string{"database " + i.Database}
	for _, p := range [...]struct{ word, value string }{{"on", i.Host}, {"system", i.System}, {"cluster", i.Cluster}} {
		if p.value != "" {
			parts = append(parts, p.word+" "+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

// Key names the database by what does not depend on the way to it, for approvals: "system 7123…/shop". Where neither
// system nor cluster is known it goes by the host.
func (i Identity) Key() string {
	switch {
	case i.Cluster != "":
		return "cluster " + i.Cluster + "/" + i.Database
	case i.System != "":
		return "system " + i.System + "/" + i.Database
	}
	return "host " + i.Host + "/" + i.Database
}

// IsZero reports whether it asks for nothing.
func (i Identity) IsZero() bool { return i == Identity{} }

// same reports whether both are databases of that name on one server, or on one and its copy.
func (i Identity) same(other Identity) bool {
	server := i.System != "" && i.System == other.System
	if i.Cluster != "" && other.Cluster != "" { // a clone on Aurora is a cluster of its own
		server = sharesMember(i.Cluster, other.Cluster)
	}
	return server && i.Database == other.Database
}

func sharesMember(a, b string) bool {
	members := strings.Split(strings.ReplaceAll(b, " ", ""), ",")
	return slices.ContainsFunc(strings.Split(strings.ReplaceAll(a, " ", ""), ","), func(name string) bool { return slices.Contains(members, name) })
}

// Pin is what the database itself holds of its identity: its row in the side table.
type Pin struct {
	Identity
	By string
	At time.Time
}

// Whereabouts is what a decision about the identity of a database needs to know.
type Whereabouts struct {
	Found Identity // its Environment is the one that was selected
	Hosts []string // all that the URL names, since any of them may have answered
	Pin   *Pin     // nil: none
	// Expected is what the configuration says of the selected environment, and Others what it says of the others.
	Expected Identity
	Others   []Identity
}

// Misplaced says why the database is not the one that was meant; nil says that nothing speaks against it. The error's
// code is CONFIGURATION.
func (w Whereabouts) Misplaced() error {
	if field, expected, found := w.unlike(w.Expected); field != "" {
		return w.refuse(fmt.Sprintf("this is not the database that environment %s is pinned to: %s is %s, expected %s", w.Found.Environment, field, orElse(found, "not to be had"), expected),
			"check the url. If the database has moved and this is the one: skein pin --replace -environment="+w.Found.Environment)
	}
	if p := w.Pin; p != nil {
		if p.Environment != w.Found.Environment {
			return w.refuse(fmt.Sprintf("this database is pinned as environment %s, expected %s", p.Environment, w.Found.Environment),
				fmt.Sprintf("check the url, or choose -environment=%s. If this is a copy that is to be %s: skein pin --replace -environment=%s", p.Environment, w.Found.Environment, w.Found.Environment))
		}
		pinned := p.Identity
		pinned.Host = "" // people reach one database by several names
		if field, expected, found := w.unlike(pinned); field != "" {
			return w.refuse(fmt.Sprintf("this database is not the one in which environment %s was pinned: %s is %s, expected %s", p.Environment, field, orElse(found, "not to be had"), expected),
				"it is a copy, or was restored or upgraded. If this is the one from now on: skein pin --replace -environment="+p.Environment)
		}
		return nil // it was said here, in the database, which environment it is
	}
	for _, o := range w.Others {
		if w.Found.same(o) && (w.Expected.System == "" && w.Expected.Cluster == "" || o.Host == "" || slices.Contains(w.Hosts, o.Host)) {
			return w.refuse(fmt.Sprintf("this database, or the one that it is a copy of, is pinned as environment %s, expected %s", o.Environment, w.Found.Environment),
				fmt.Sprintf("check the url, or choose -environment=%s. If this is a copy that is to be %s: skein pin --replace -environment=%s", o.Environment, w.Found.Environment, w.Found.Environment))
		}
	}
	return nil
}

func (w Whereabouts) refuse(message, hint string) error {
	return &Error{Code: CodeConfiguration, Message: message, Hint: hint + " (found: " + w.Found.String() + ")"}
}

// unlike names the first field in which the database differs from what is expected; "" when there is none.
func (w Whereabouts) unlike(expected Identity) (field, want, found string) {
	f := w.Found
	switch {
	case expected.System != "" && expected.System != f.System:
		return "the system identifier", expected.System, f.System
	case expected.Cluster != "" && !sharesMember(expected.Cluster, f.Cluster):
		return "the cluster", expected.Cluster, f.Cluster
	case expected.Database != "" && expected.Database != f.Database:
		return "the database", expected.Database, f.Database
	case expected.Host != "" && expected.Host != f.Host && !slices.Contains(w.Hosts, expected.Host):
		return "the host", expected.Host, f.Host
	}
	return "", "", ""
}
