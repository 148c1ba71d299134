// Package sdk holds Skein's own calls to AWS, and the imitations of AWS that its tests speak to, against the clients of the
// AWS SDK for Go. It is a module of its own, so that neither the program nor whoever uses the library has those clients among
// their modules.
package sdk
