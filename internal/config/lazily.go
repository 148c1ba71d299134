package config

import (
	"regexp"
	"sync"
)

// lazily compiles a pattern when it is first asked for. Most runs ask for none, and to compile them all is a
// thirtieth of what it takes to start.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
