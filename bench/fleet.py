#!/usr/bin/env python3
"""A release over many databases of one server, beside psql under xargs with the same scripts and the same parallelism.

Each database is a copy of a template, which has one migration. skein deploys ten small migrations to all of them; psql runs one file with the same
ten scripts, each BEGIN … COMMIT with an insert into a history table. The two take turns in rounds, each on copies of its
own. Then one database is poisoned, and budget, resume and a killed controller are tried. What is printed was measured in
this run; every claim is checked, and a wrong one ends the program with 1.
"""
import argparse, concurrent.futures, json, os, pathlib, resource, shutil, signal, statistics, subprocess, sys, tempfile, threading, time

SCRIPTS = 10


def psql(url, *sql):
    each = [word for s in sql for word in ("-c", s)]
    env = os.environ | {"PGOPTIONS": "-c client_min_messages=error"}
    return subprocess.run(["psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-d", url, *each], check=True, text=True, stdout=subprocess.PIPE, env=env).stdout.strip()


def script(i):
    return f"create table t{i} (id int primary key, name text not null);\ninsert into t{i} select n, 'name ' || n from generate_series(1, 10) n;\ncreate index t{i}_name on t{i} (name);\n"


def run(cmd, cwd, env=None, kill_when=None):
    """Runs a command; returns its exit code, output, wall time and peak memory of the process in MB."""
    t = time.monotonic()
    p = subprocess.Popen(cmd, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    killed = False
    if kill_when:
        def watch():
            nonlocal killed
            while p.poll() is None and not kill_when():
                time.sleep(0.02)
            if p.poll() is None:
                killed = True
                p.send_signal(signal.SIGKILL)
        threading.Thread(target=watch, daemon=True).start()
    out = p.stdout.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    return dict(code=p.returncode, out=out, wall=time.monotonic() - t, rss=usage.ru_maxrss / 1024, killed=killed)


def processor():
    """Seconds of processor time that clients and, where it is ours, the server have used so far; sessions count when they have ended."""
    mine = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = mine.ru_utime + mine.ru_stime
    if pid := os.environ.get("BENCH_POSTMASTER"):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        used += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return used


class Bench:
    def __init__(self, a):
        self.a = a
        self.base, self.root = a.url.rsplit("/", 1)[0], pathlib.Path(tempfile.mkdtemp(prefix="skein-fleet."))
        self.wrong = []
        self.turn, self.made = 0, []
        (self.root / "sql").mkdir()
        for i in range(1, SCRIPTS + 1):
            (self.root / "sql" / f"V{i}__t{i}.sql").write_text(script(i))
        (self.root / "sql/V0.1__existing.sql").write_text("create table existing (id int);\n")
        with open(self.root / "all.sql", "w") as f:
            f.write("\\set ON_ERROR_STOP on\n")
            for i in range(1, SCRIPTS + 1):
                f.write(f"begin;\n{script(i)}insert into history (version, description, script, checksum, by) values ('{i}', 't{i}', 'V{i}__t{i}.sql', {i}, current_user);\ncommit;\n")

    def url(self, db):
        return f"{self.base}/{db}"

    def names(self, kind):
        return [f"{kind}_{self.turn:02d}_{i:04d}" for i in range(1, self.a.n + 1)]

    def server(self, fsync):
        """The databases are made without fsync, where the server is ours; what is measured has it."""
        if os.environ.get("BENCH_OWN"):
            psql(self.a.url, f"alter system set fsync = {fsync}", "select pg_reload_conf()", "checkpoint")
            while psql(self.a.url, "show fsync") != fsync:
                time.sleep(0.05)
            os.sync()

    def make(self, *kinds):
        """Copies of the templates, under new names: nothing is dropped before something is measured (docs/benchmarks.md)."""
        self.turn += 1
        self.server("off")
        for kind in kinds:
            how = "strategy file_copy" if int(psql(self.a.url, "show server_version_num")) >= 150000 else ""
            self.made += self.names(kind)
            copies = "".join(f"create database {db} template template_{kind} {how};\n" for db in self.names(kind))
            subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", self.a.url], input="set client_min_messages = error;\n" + copies, text=True, check=True)
        self.server("on")

    def drop(self):
        """On a server that goes on without us, nothing is left behind."""
        if not os.environ.get("BENCH_OWN"):
            gone = "".join(f"drop database if exists {db};\n" for db in self.made + ["template_psql", "template_skein"])
            subprocess.run(["psql", "-Xq", "-d", self.a.url], input="set client_min_messages = error;\n" + gone, text=True, check=False)

    def template(self, kind, known=True):
        """What the databases are copies of: known to skein, by a release that it brought, or by Flyway's table only."""
        psql(self.a.url, f"drop database if exists template_{kind}", f"create database template_{kind}")
        url = self.url(f"template_{kind}")
        if kind == "psql":
            psql(url, "create table history (rank serial primary key, version text, description text, script text unique, checksum int, by text, at timestamp default now(), success bool default true)")
        elif not known:
            psql(url, "create table existing (id int)")
            subprocess.run([self.a.skein, "baseline", f"-url={url}", "-baselineVersion=0.1"], cwd=self.root, check=True, capture_output=True)
        else:
            before = self.root / "before"
            (before / "sql").mkdir(parents=True, exist_ok=True)
            shutil.copy(self.root / "sql/V0.1__existing.sql", before / "sql")
            (before / "skein.toml").write_text(f"""[flyway]
locations = ["filesystem:sql"]
[environments.fleet]
url = "{url}"
[skein]
pipeline = ["fleet"]
releases = "filesystem:releases"
""")
            for verb in (["release", "create", "r0"], ["release", "push", "r0"], ["deploy", "fleet"]):
                subprocess.run([self.a.skein, *verb], cwd=before, check=True, capture_output=True)

    def config(self, waves, budget):
        env = f"where datname between '{self.names('skein')[0]}' and '{self.names('skein')[-1]}'"
        (self.root / "skein.toml").write_text(f"""[flyway]
locations = ["filesystem:sql"]
[environments.fleet]
url = "{self.a.url}"
[skein]
pipeline = ["fleet"]
releases = "filesystem:releases"
[skein.environments.fleet]
targetsQuery = "select datname as name, datname as database from pg_database {env} order by 1"
waves = {json.dumps(waves)}
failureBudget = "{budget}"
concurrency = {self.a.parallel}
""")

    def skein(self, *args, **kw):
        return run([self.a.skein, *args, "-outputType=json"], self.root, **kw)

    def deploy(self, *args, **kw):
        r = self.skein("deploy", "fleet", *args, **kw)
        try:
            r["doc"] = json.loads(r["out"])
        except ValueError:
            r["doc"] = {}
        return r

    def applied(self):
        """The versions in each database's history, in order, without what was there before."""
        def of(db):
            return psql(self.url(db), "select string_agg(version, ',' order by installed_rank) from flyway_schema_history where type = 'SQL' and version <> '0.1'")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return dict(zip(self.names("skein"), pool.map(of, self.names("skein"))))

    def complete(self, what):
        full = ",".join(map(str, range(1, SCRIPTS + 1)))
        wrong = {k: v for k, v in self.applied().items() if v != full}
        self.check(what, not wrong, str(wrong)[:300])

    def check(self, what, ok, more=""):
        print(f"{'ok' if ok else 'WRONG':6} {what}" + (f": {more}" if more and not ok else ""), flush=True)
        if not ok:
            self.wrong.append(what)

    def release(self, name):
        for verb in (("release", "create"), ("release", "push")):
            r = self.skein(*verb, name)
            if r["code"]:
                sys.exit(r["out"])

    def race(self, known=True):
        self.template("psql")
        self.template("skein", known)
        runs, walls, cpus = [], {"psql": [], "skein": []}, {"psql": [], "skein": []}

        def xargs():
            subprocess.run(f"xargs -P {self.a.parallel} -I DB psql -Xq -d {self.base}/DB -f all.sql >/dev/null", shell=True, input="\n".join(self.names("psql")), text=True, cwd=self.root, check=True)
        order = [("psql", xargs), ("skein", lambda: runs.append(self.deploy()))]
        for turn in range(self.a.rounds):
            self.make("psql", "skein")
            self.config(["1", "rest"], "0")
            for tool, go in order if turn % 2 == 0 else reversed(order):
                psql(self.a.url, "checkpoint")  # what the other has left to be written is not this one's
                os.sync()
                used, t = processor(), time.monotonic()
                go()
                walls[tool].append(time.monotonic() - t)
                time.sleep(1)  # the last sessions end
                cpus[tool].append(processor() - used)
            if runs[-1]["code"]:
                sys.exit(runs[-1]["out"])
        self.complete(f"every one of {self.a.n} databases has each script once")
        rss = max(r["rss"] for r in runs)
        print(f"\n{'known' if known else 'first':10}{'wall s':>9}{'x psql':>9}{'each turn':>20}{'cpu ms each':>13}{'x psql':>9}{'rss MB':>9}")
        for tool, memory in ("psql", ""), ("skein", f"{rss:.1f}"):
            w, c = statistics.median(walls[tool]), statistics.median(cpus[tool])
            print(f"{tool:10}{w:9.2f}{w / statistics.median(walls['psql']):9.2f}{' '.join(f'{t:.1f}' for t in walls[tool]):>20}"
                  f"{1000 * c / self.a.n:13.1f}{c / statistics.median(cpus['psql']):9.2f}{memory:>9}")
        print(flush=True)
        self.check("controller memory under 200 MB", rss < 200, f"{rss:.0f} MB")

    def first(self):
        """The race on databases that have Flyway's table and have never met skein, which makes its side tables in them."""
        self.race(known=False)

    def poison(self):
        self.template("skein")
        self.make("skein")
        bad = self.names("skein")[self.a.n // 2]
        psql(self.url(bad), "create table t5 (made_by_hand int)")
        self.config(["1", "10%", "rest"], "0")
        r = self.deploy()
        self.check("a poisoned database and no budget stop the rollout (exit 12)", r["code"] == 12 and r["doc"].get("status") == "stopped" and r["doc"].get("failed") == [bad], r["out"][-400:])
        left = len(r["doc"].get("left", []))
        self.check("what was not begun is left, the poisoned one among it", 0 < left < self.a.n and bad in r["doc"].get("left", []), str(left))
        self.config(["1", "10%", "rest"], "1")
        r = self.deploy("--resume")
        self.check("with a budget of 1 the others get everything (exit 11)", r["code"] == 11 and r["doc"].get("left") == [bad], r["out"][-400:])
        rows = self.applied()
        self.check("the poisoned database keeps what went before the failure", rows[bad] == "1,2,3,4", rows[bad])
        psql(self.url(bad), "drop table t5")
        r = self.deploy("--resume")
        touched = [t["name"] for t in r["doc"].get("targets", [])]
        self.check("resume touches the unfinished one only (exit 0)", r["code"] == 0 and touched == [bad], r["out"][-400:])

    def kill(self):
        self.template("skein")
        self.make("skein")
        self.config(["1", "rest"], "0")
        middle = self.url(self.names("skein")[self.a.n // 2])  # targets go in the order of their names

        def done():
            return psql(middle, "select count(*) from flyway_schema_history") != "1"
        r = self.deploy(kill_when=done)
        self.check("the controller was killed on its way", r["killed"], r["out"][-300:])
        r = self.deploy("--resume")
        self.check("the rest finishes (exit 0)", r["code"] == 0, r["out"][-400:])
        self.complete("every database has each script once")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--url", required=True)
    p.add_argument("--skein", default=str(pathlib.Path(__file__).parent / "bin/skein"))
    p.add_argument("--n", type=int, default=1000)
    p.add_argument("--parallel", type=int, default=8)
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("--work", default="race,first,poison,kill")
    a = p.parse_args()
    a.skein = os.path.abspath(a.skein)
    b = Bench(a)
    try:
        b.config(["1", "rest"], "0")
        b.release("r1")
        print(f"{a.n} databases, {a.parallel} at a time, {SCRIPTS} scripts each; fsync {psql(a.url, 'show fsync')}, synchronous_commit {psql(a.url, 'show synchronous_commit')}", flush=True)
        for work in a.work.split(","):
            getattr(b, work)()
    finally:
        shutil.rmtree(b.root)
        b.drop()
    sys.exit(1 if b.wrong else 0)


main()
