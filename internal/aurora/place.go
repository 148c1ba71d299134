// Package aurora knows what the names of databases at AWS say, and the certificates that vouch for them.
package aurora

import "strings"

// Place is what the name of a host says of it.
type Place string

// The places.
const (
	Elsewhere Place = ""         // not at RDS
	Writer    Place = "writer"   // a cluster's writer endpoint
	Reader    Place = "reader"   // a cluster's reader endpoint: takes no writes
	Custom    Place = "custom"   // a custom endpoint of a cluster
	Proxy     Place = "proxy"    // RDS Proxy: what runs there ends with the client
	Instance  Place = "instance" // one instance
)

// PlaceOf reads a host's name, such as shop.cluster-ro-abc123.eu-west-1.rds.amazonaws.com. Global clusters have a writer
// endpoint under global.rds.amazonaws.com.
func PlaceOf(host string) Place {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	china := strings.HasSuffix(host, ".amazonaws.com.cn") && strings.Contains(host, ".rds.cn-")
	if !china && !strings.HasSuffix(host, ".rds.amazonaws.com") && !strings.HasSuffix(host, ".rds.amazonaws.eu") {
		return Elsewhere
	}
	_, rest, _ := strings.Cut(host, ".")
	for _, p := range []struct {
		prefix string
		place  Place
	}{
		{"cluster-ro-", Reader}, {"cluster-custom-", Custom}, {"cluster-", Writer}, {"global-", Writer}, {"proxy-", Proxy}, {"endpoint.proxy-", Proxy},
	} {
		if strings.HasPrefix(rest, p.prefix) {
			return p.place
		}
	}
	return Instance
}
