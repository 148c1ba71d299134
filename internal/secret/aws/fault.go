package aws

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

// Said reads an error of a service as the SDKs do: its name in a header, or in a body of JSON or, of the older services, XML.
// What is not the service's has no text worth telling.
func Said(header http.Header, body []byte) (kind, text string) {
	var fields struct {
		Type    string `json:"__type"`
		Code    any    // some services write the name there; names are matched without regard to case
		Message string
	}
	if json.Unmarshal(body, &fields) == nil {
		code, _ := fields.Code.(string)
		kind, text = cmp.Or(fields.Type, code), fields.Message
	} else {
		var old struct {
			Code    string `xml:"Error>Code"`
			Message string `xml:"Error>Message"`
		}
		_ = xml.Unmarshal(body, &old)
		kind, text = old.Code, old.Message
	}
	kind, _, _ = strings.Cut(cmp.Or(header.Get("X-Amzn-Errortype"), kind), ":") // a URL may follow, and a namespace go before
	return kind[strings.IndexByte(kind, '#')+1:], text
}

// passing are the errors that the SDKs take for gone in a moment, whatever the status is.
var passing = []string{
	"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException", "TooManyRequestsException", "ProvisionedThroughputExceededException",
	"TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "RequestThrottled", "SlowDown", "PriorRequestNotComplete",
	"EC2ThrottledException", "RequestTimeout", "RequestTimeoutException",
}

// Passing reports whether a call that ended so may succeed in a moment.
func Passing(status int, kind string) bool {
	return status == http.StatusTooManyRequests || status >= 500 || slices.Contains(passing, kind)
}
