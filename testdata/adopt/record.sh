#!/usr/bin/env bash
# Records the histories in this folder anew, with the tools that wrote them. The tests read the .sql files and need none
# of the tools.
#
#   record.sh WORK FLYWAY_7 FLYWAY_8 FLYWAY_11 FLYWAY_12 FLYWAY_13
#
# WORK is a scratch folder. The others are launchers of Flyway 7.7.3, 8.5.4, 11.14.1, 12.4.0 and 13.0.0, as
# internal/conformance/flywaylive/fetch.sh makes them (8.5.4: an installation that you have). The older versions are fetched
# by Maven as libraries and driven by RunFlyway.java. Also needed: java, javac, mvn, psql, pg_dump, golang-migrate v4.20.1
# and goose v3.29.0 on the PATH (bench/tools installs them), and PGHOST, PGPORT and PGUSER of a server that trusts you.
set -euo pipefail

work=${1:?usage: record.sh WORK FLYWAY_7 FLYWAY_8 FLYWAY_11 FLYWAY_12 FLYWAY_13}
declare -A launcher=([7.7.3]=$2 [8.5.4]=$3 [11.14.1]=$4 [12.4.0]=$5 [13.0.0]=$6)
here=$(cd "$(dirname "$0")" && pwd)
scripts=$here/scripts
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1
export PGOPTIONS="-c client_min_messages=warning"
mkdir -p "$work"

jars() { # folder, group:artifact:version…
    local folder=$1 gav
    shift
    {
        echo '<project><modelVersion>4.0.0</modelVersion><groupId>l</groupId><artifactId>l</artifactId><version>1</version><dependencies>'
        for gav; do
            IFS=: read -r g a v <<<"$gav"
            echo "<dependency><groupId>$g</groupId><artifactId>$a</artifactId><version>$v</version></dependency>"
        done
        echo '</dependencies></project>'
    } >"$work/pom.xml"
    mvn -q -B -f "$work/pom.xml" "$plugin:copy-dependencies" -DoutputDirectory="$folder"
}

fresh() { psql -X -q -d postgres -c "drop database if exists \"$1\"" -c "create database \"$1\""; }

record() { # database, file, who
    {
        echo "-- What $3 left; see record.sh."
        pg_dump --inserts --no-owner --no-privileges "$1" | grep -v -E '^(--|SET |SELECT pg_catalog.set_config|\\|$)'
    } >"$here/$2.sql"
    psql -X -q -d postgres -c "drop database \"$1\""
}

flyway() { # version, database, folder, schema ("" for the default one), verbs…
    local v=$1 db=$2 folder=$3 schema=$4
    shift 4
    local url="jdbc:postgresql://$PGHOST:$PGPORT/$db"
    if [[ ${launcher[$v]:-} ]]; then
        "${launcher[$v]}" -url="$url" -user="$PGUSER" -locations="filesystem:$folder" ${schema:+-schemas="$schema"} \
            -placeholders.greeting=hello -baselineDescription='as it was' "$@"
        return
    fi
    verbs=()
    for word; do [[ $word == -* ]] || verbs+=("$word"); done
    java -cp "$work:$work/fw$v/*:$work/driver/*" RunFlyway "$url" "$PGUSER" "$folder" "$schema" "${verbs[@]}"
}

both() { # a scratch folder with the scripts of two
    mkdir -p "$work/$1+$2"
    cp "$scripts/$1"/* "$work/$1+$2"
    cp "$scripts/$2"/* "$work/$1+$2"
    echo "$work/$1+$2"
}

jars "$work/driver" org.postgresql:postgresql:42.2.19
for v in 3.2.1 4.2.0 5.2.4 6.5.7 9.22.3; do jars "$work/fw$v" "org.flywaydb:flyway-core:$v"; done
jars "$work/fw10.22.0" org.flywaydb:flyway-database-postgresql:10.22.0
javac -cp "$work/fw4.2.0/*" -d "$work" "$here/RunFlyway.java"

for v in 3.2.1 4.2.0 5.2.4 6.5.7 7.7.3 8.5.4 9.22.3 10.22.0 11.14.1 12.4.0 13.0.0; do
    fresh adopt
    flyway "$v" adopt "$scripts/flyway" app migrate
    record adopt "flyway-$v" "Flyway $v"
done
for v in 3.2.1 4.2.0 13.0.0; do
    fresh adopt
    psql -X -q -d adopt -c 'create table customer (id int primary key, name text)'
    flyway "$v" adopt "$scripts/flyway" "" baseline migrate
    record adopt "flyway-$v-baselined" "Flyway $v, baselined,"
done
for v in 4.2.0 6.5.7 8.5.4; do
    fresh adopt
    flyway "$v" adopt "$(both flyway flyway-failed)" "" migrate || true # it has to fail
    record adopt "flyway-$v-failed" "Flyway $v, with a failed migration,"
done
fresh adopt
flyway 4.2.0 adopt "$scripts/flyway" app migrate
flyway 5.2.4 adopt "$(both flyway flyway-later)" app migrate
record adopt flyway-4.2.0-then-5.2.4 "Flyway 4.2.0 and then 5.2.4"
fresh adopt
flyway 4.2.0 adopt "$scripts/flyway" app migrate
flyway 13.0.0 adopt "$scripts/flyway" app baseline -baselineVersion=2
record adopt flyway-4.2.0-and-13.0.0 "Flyway 4.2.0 and, beside it, a baseline of Flyway 13.0.0"

server="postgres://$PGUSER@$PGHOST:$PGPORT"
fresh adopt
migrate -path "$scripts/golang-migrate" -database "$server/adopt?sslmode=disable" goto 2
record adopt golang-migrate-4.20.1 "golang-migrate 4.20.1"
fresh adopt
migrate -path "$(both golang-migrate golang-migrate-dirty)" -database "$server/adopt?sslmode=disable" up || true
record adopt golang-migrate-4.20.1-dirty "golang-migrate 4.20.1, with a failed file,"
fresh adopt
goose -dir "$scripts/goose" postgres "$server/adopt?sslmode=disable" up-to 2
record adopt goose-3.29.0 "goose 3.29.0"
fresh adopt
goose -dir "$scripts/goose" postgres "$server/adopt?sslmode=disable" up-to 3
goose -dir "$scripts/goose" postgres "$server/adopt?sslmode=disable" down
record adopt goose-3.29.0-down "goose 3.29.0, up and one down,"

jars "$work/liquibase" org.liquibase:liquibase-core:4.33.0 info.picocli:picocli:4.7.7
fresh adopt
java -cp "$work/liquibase/*:$work/driver/*" liquibase.integration.commandline.LiquibaseCommandLine --show-banner=false \
    --search-path="$scripts/liquibase" --changelog-file=root.yaml --url="jdbc:postgresql://$PGHOST:$PGPORT/adopt" \
    --username="$PGUSER" --password=none update
record adopt liquibase-4.33.0 "Liquibase 4.33.0"
