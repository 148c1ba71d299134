package cli

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// version is set by the linker: -X github.com/skein-db/skein/internal/cli.version=1.2.3
var version string

// Version is this program's version: what the linker set, else the module's version, else "devel" and the revision it was
// built from.
func Version() string {
	if version != "" {
		return version
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return versionOf(build)
}

func versionOf(build *debug.BuildInfo) string {
	if v := build.Main.Version; v != "" && v != "(devel)" {
		return strings.TrimPrefix(v, "v")
	}
	revision, dirty := "", ""
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = "-" + s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	if revision == "" {
		return "devel"
	}
	return "devel" + revision + dirty
}

func banner() string { return "Skein " + Version() }

// printVersion is the verb version.
func printVersion(c *console) {
	c.result(banner()+"\nspeaks the dialect of Flyway "+Dialect+"; "+runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH, "")
}

// versionDocument has Flyway's fields; edition and permitExpiry are null because Skein has neither.
func versionDocument() object {
	return object{"command": "version", "edition": nil, "permitExpiry": nil, "pluginVersions": list{}, "version": Version()}
}
