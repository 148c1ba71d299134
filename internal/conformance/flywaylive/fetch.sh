#!/usr/bin/env bash
# Makes a runnable Flyway command line in a folder, from artifacts that Maven fetches by name.
#
#   fetch.sh FOLDER [VERSION [FRONT]]     then: FLYWAY=FOLDER/flyway go test ./internal/conformance/...
#
# Needs mvn and, on the PATH or in JAVA_HOME, Java 17 or newer. What comes out has Flyway's own layout: FOLDER/flyway
# beside conf/, sql/, jars/, drivers/ and lib/. Only what PostgreSQL needs is taken.
#
# VERSION (13.0.0) is the engine's: its states, SQL, messages and JSON. Not every engine's command line is published, so
# FRONT (12.4.0, else VERSION where that is older) names the version of the command line and the reports module put before
# it. Such a mixture is 13.0.0 in what it does to a database and in what it prints about that. It is not in these: the help
# pages are 12.4.0's, testConnection is missing, and unknown parameters and reportEnabled=true end in a Java error.
# With VERSION 12.4.0 nothing is mixed.
#
# Versions before 10 come whole, as published, and a front can't be chosen; 7.7.3 is one. 8.5.4 is not published as a
# command line: point FLYWAY_854 at an installation that you have, or at one built with javac from the sources of its tag (the
# module flyway-commandline) beside org.flywaydb:flyway-core:8.5.4, which is published; its conf/ has to be empty, for the
# flyway.conf of the tag names a location.
set -euo pipefail

folder=${1:?usage: fetch.sh FOLDER [VERSION [FRONT]]}
version=${2:-13.0.0}
major=${version%%.*}
front=${3:-$( ((major >= 13)) && echo 12.4.0 || echo "$version")}
dependency_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

maven() {
    if ! mvn -q -B "$@" >"$work/mvn.log" 2>&1; then
        cat "$work/mvn.log" >&2
        echo "fetch.sh: Maven could not get Flyway $version (command line $front); see above" >&2
        return 1
    fi
}

whole() {
    maven "$dependency_plugin:copy" -Dartifact="org.flywaydb:flyway-commandline:$version:tar.gz" -DoutputDirectory="$work"
    tar -x -z -f "$work/flyway-commandline-$version.tar.gz" -C "$1" --strip-components=1
    chmod +x "$1/flyway"
}

alone() { # group artifact version: without what its pom would drag in
    printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>' "$@"
    printf '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>\n'
}

managed() { # group:artifact…: in the version that the engine's own parent names
    for ga; do
        printf '<dependency><groupId>%s</groupId><artifactId>%s</artifactId></dependency>\n' "${ga%%:*}" "${ga#*:}"
    done
}

pom() {
    local jackson=tools.jackson
    ((major < 12)) && jackson=com.fasterxml.jackson
    printf '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n'
    printf '<groupId>local</groupId><artifactId>flyway</artifactId><version>1</version><packaging>pom</packaging>\n'
    printf '<dependencyManagement><dependencies><dependency><groupId>org.flywaydb</groupId>'
    printf '<artifactId>flyway-parent</artifactId><version>%s</version><type>pom</type>' "$version"
    printf '<scope>import</scope></dependency></dependencies></dependencyManagement>\n<dependencies>\n'
    alone org.flywaydb flyway-core "$version"
    alone org.flywaydb flyway-database-postgresql "$version"
    alone org.flywaydb flyway-commandline "$front"
    alone org.flywaydb flyway-reports "$front"
    alone org.fusesource.jansi jansi 1.18
    managed org.postgresql:postgresql org.slf4j:slf4j-nop org.apache.commons:commons-text "$jackson.core:jackson-databind" \
        "$jackson.dataformat:jackson-dataformat-toml"
    if ((major < 12)); then managed "$jackson.datatype:jackson-datatype-jsr310"; fi # part of databind since Jackson 3
    if ((major >= 13)); then managed "$jackson.dataformat:jackson-dataformat-xml"; fi
    printf '</dependencies></project>\n'
}

# Flyway looks for conf, sql, jars and drivers two folders above the jar of its main class.
jars() {
    mkdir -p "$1"/{conf,sql,jars,drivers,lib/flyway}
    pom >"$work/pom.xml"
    maven -f "$work/pom.xml" "$dependency_plugin:copy-dependencies" -DoutputDirectory="$1/lib"
    mv "$1"/lib/flyway-*.jar "$1/lib/flyway/"
    mv "$1"/lib/postgresql-*.jar "$1/drivers/"
    cat >"$1/flyway" <<'LAUNCHER'
#!/bin/sh
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC $JAVA_ARGS \
    -cp "${CLASSPATH:+$CLASSPATH:}$here/lib/*:$here/lib/flyway/*:$here/drivers/*" org.flywaydb.commandline.Main "$@"
LAUNCHER
    chmod +x "$1/flyway"
}

if [ -e "$folder" ] && [ ! -x "$folder/flyway" ]; then
    echo "fetch.sh: $folder exists and holds no Flyway; nothing was changed: name another folder" >&2
    exit 1
fi
# Built aside, so that a failed fetch leaves no half of a Flyway where a test would find it.
new=$work/new
mkdir "$new"
if ((major < 10)); then whole "$new"; else jars "$new"; fi
"$new/flyway" -v
mkdir -p "$(dirname "$folder")"
rm -rf "$folder"
mv "$new" "$folder"
chmod 755 "$folder"
echo "FLYWAY=$folder/flyway"
