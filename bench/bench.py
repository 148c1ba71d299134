#!/usr/bin/env python3
"""Side-by-side benchmark of PostgreSQL migration tools on one server, in one run.

usage: bench.py --url postgres://postgres@127.0.0.1:PORT/postgres --tools psql,psqlasync,skein,goose,migrate,tern,dbmate,flyway
                --work tiny,noop,latency,applied,many,bulk,large [--n 2000] [--rounds 3] [--noops 5] [--out result.json]

tiny     n small migrations (table, index, two rows each) on an empty database
noop     the same command again, with nothing left to do, --noops times a round, in a shuffled order, after a checkpoint
latency  n/10 of them (at least 50) through a proxy that adds --delay seconds to each round trip
applied  nothing left to do after --applied migrations, as often as noop; then one byte of one file is changed, and skein
         and flyway have to fail and to name that file ("changed")
many     --many migrations like those of tiny: how long the first thousand took and how long the last, by the times in
         the history, in one round (psql, skein and flyway only: the others record no times)
bulk     one script of --bulk-mb megabytes of INSERTs
large    the same, ten times as long, in one round; golang-migrate, which sends a file as one message, gets ten files

Each tool gets a fresh database for each round; rounds are interleaved (A B C A B C ...), the server is at a
checkpoint before each, medians are quoted, and every figure is also given as a ratio to psql running the same
statements (noop and applied: to golang-migrate; large: to golang-migrate's bulk). psqlasync is psql with
synchronous_commit off: what is left is the server's own time. Peak memory is the tool's own; figures under 11 MB are
Python's.
Tools are found by SKEIN=, GOOSE=, MIGRATE=, TERN=, DBMATE=, FLYWAY= (a full path), in bin/ beside this file,
or on PATH.
"""
import argparse, asyncio, json, os, pathlib, platform, random, shlex, shutil, statistics, subprocess, sys, tempfile, threading, time
from urllib.parse import urlparse

def sh(cmd, **kw):
    return subprocess.run(cmd, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)

def admin(url, sql):
    sh(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", sql])

def with_db(url, db):
    u = urlparse(url)
    return f"postgres://{u.netloc}/{db}?sslmode=disable"

def tool(name):
    ours = pathlib.Path(__file__).resolve().parent / "bin" / name
    p = os.environ.get(name.upper()) or (str(ours) if ours.exists() else shutil.which(name))
    if not p:
        sys.exit(f"{name}: not found")
    return p

# ---- the same work in every tool's own file format -------------------------------------------------
def statements(i):
    return (f"CREATE TABLE t{i} (id bigint PRIMARY KEY, name text NOT NULL, made timestamptz DEFAULT now());\n"
            f"CREATE INDEX t{i}_name ON t{i} (name);\nINSERT INTO t{i} VALUES (1,'a'),(2,'b');\n")

def nothing(i):
    return f"/* {statements(i)}*/ SELECT {i};\n"

def layout(root, n, body=statements):
    for d in ("flyway", "goose", "migrate", "tern", "dbmate"):
        (root / d).mkdir(parents=True)
    with open(root / "all.sql", "w") as all_:
        all_.write("CREATE TABLE history (rank int primary key, version text, script text, at timestamptz default now());\n")
        for i in range(1, n + 1):
            s = body(i)
            (root / f"flyway/V{i}__m{i}.sql").write_text(s)
            (root / f"goose/{i:06d}_m{i}.sql").write_text("-- +goose Up\n" + s + "\n-- +goose Down\nSELECT 1;\n")
            (root / f"migrate/{i:06d}_m{i}.up.sql").write_text(s)
            (root / f"tern/{i:06d}_m{i}.sql").write_text(s)
            (root / f"dbmate/{20200101000000+i}_m{i}.sql").write_text("-- migrate:up\n" + s + "\n-- migrate:down\n")
            all_.write(f"BEGIN;\n{s}INSERT INTO history (rank,version,script) VALUES ({i},'{i}','V{i}__m{i}.sql');\nCOMMIT;\n")

PSQL = ("psql", "psqlasync")

def command(name, root, url):
    u = urlparse(url)
    if name == "psql":
        return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(root / "all.sql"), url]
    if name == "psqlasync":  # what is left when no commit waits for the disk: the server's own time
        return ["env", "PGOPTIONS=-c synchronous_commit=off", *command("psql", root, url)]
    if name == "skein":
        return [tool("skein"), "migrate", f"-url={url}", f"-locations=filesystem:{root/'flyway'}"]
    if name == "flyway":
        return [tool("flyway"), f"-url=jdbc:postgresql://{u.hostname}:{u.port}{u.path}", f"-user={u.username}", "-password=",
                f"-locations=filesystem:{root/'flyway'}", "migrate"]
    if name == "goose":
        return [tool("goose"), "-dir", str(root / "goose"), "postgres", url, "up"]
    if name == "migrate":
        return [tool("migrate"), "-path", str(root / "migrate"), "-database", url, "up"]
    if name == "tern":
        return [tool("tern"), "migrate", "-m", str(root / "tern"), "--host", u.hostname, "--port", str(u.port),
                "--database", u.path[1:], "--user", u.username, "--sslmode", "disable"]
    if name == "dbmate":
        return [tool("dbmate"), "--url", url, "-d", str(root / "dbmate"), "--no-dump-schema", "up"]
    raise KeyError(name)

# A child's peak memory counts what its parent held when it forked, so each tool is started by a bare interpreter.
LAUNCH = """import os, sys, time
report = int(sys.argv[1]); os.set_inheritable(report, False)
t = time.monotonic()
_, status, ru = os.wait4(os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ), 0)
os.write(report, f"{os.waitstatus_to_exitcode(status)} {time.monotonic() - t} {ru.ru_utime + ru.ru_stime} {ru.ru_maxrss / 1024}".encode())
"""

def timed(cmd, log, expect="0"):
    r, w = os.pipe()
    with open(log, "ab") as f:
        p = subprocess.Popen([sys.executable, "-I", "-S", "-c", LAUNCH, str(w), shutil.which(cmd[0])] + cmd[1:],
                             pass_fds=[w], stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT)
    os.close(w)
    with os.fdopen(r) as f:
        report = f.read().split() or ["none"]
    p.wait()
    if report[0] == "0" if expect != "0" else report[0] != "0":
        words = pathlib.Path(log).read_text(errors="replace")[-2000:]
        raise SystemExit(f"{shlex.join(cmd)} {'failed' if expect == '0' else 'did not fail'} (exit code {report[0]}); the end of {log}:\n{words}")
    return dict(zip(("wall", "cpu", "rss_mb"), map(float, report[1:])))

# ---- a proxy that adds latency, for work over a network --------------------------------------------
class Latency(threading.Thread):
    def __init__(self, host, port, delay):
        super().__init__(daemon=True)
        self.target, self.delay, self.ready, self.port = (host, port), delay, threading.Event(), None
    def run(self):
        asyncio.run(self.main())
    async def main(self):
        s = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = s.sockets[0].getsockname()[1]
        self.ready.set()
        async with s:
            await s.serve_forever()
    async def serve(self, r, w):
        r2, w2 = await asyncio.open_connection(*self.target)
        async def pump(a, b):
            q = asyncio.Queue()
            async def out():
                while True:
                    at, data = await q.get()
                    if data is None:
                        break
                    await asyncio.sleep(max(0, at - time.monotonic()))
                    b.write(data); await b.drain()
                b.close()
            t = asyncio.create_task(out())
            try:
                while data := await a.read(65536):
                    q.put_nowait((time.monotonic() + self.delay / 2, data))
            except ConnectionError:
                pass
            q.put_nowait((0, None)); await t
        await asyncio.gather(pump(r, w2), pump(r2, w), return_exceptions=True)

def write_bulk(root, mb, times):
    """One script, or one of that many times the length; for golang-migrate then as many scripts."""
    row = "INSERT INTO big VALUES (%d, 'the quick brown fox jumps over the lazy dog, and then it sleeps', now());\n"
    count = mb * 1024 * 1024 // len(row)
    def body(i):
        create = "CREATE TABLE big (id int, t text, at timestamptz);\n" if i == 1 else ""
        return create + "".join(row % k for k in range((i - 1) * count, i * count))
    root = pathlib.Path(root)
    layout(root, 1, body)
    for i in range(2, times + 1):
        s = body(i)
        (root / f"migrate/{i:06d}_m{i}.up.sql").write_text(s)
        for path in ("flyway/V1__m1.sql", "tern/000001_m1.sql", "all.sql"):
            with open(root / path, "a") as f:
                f.write(s)
        # These have something behind the statements.
        for path in ("goose/000001_m1.sql", "dbmate/20200101000001_m1.sql"):
            (root / path).unlink(missing_ok=True)

def run_bulk(a, tools, tmp, fresh, record, work, times, rounds):
    # written by a child, so that the text never sits in this process
    subprocess.run([sys.executable, __file__, "--write-bulk", str(tmp / work), str(a.bulk_mb), str(times)], check=True)
    os.sync()
    for r in range(rounds):
        for name in tools:
            if times > 1 and name in ("goose", "dbmate"):
                continue
            db = f"k_{name}_{r}"
            fresh(db)
            try:
                record(work, name, timed(command(name, tmp / work, with_db(a.url, db)), tmp / f"{name}.log"))
            except SystemExit as e:
                print(e, file=sys.stderr)
            admin(a.url, f"DROP DATABASE {db}")
    shutil.rmtree(tmp / work)

def ask(url, sql):
    return sh(["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, "-c", sql]).stdout.decode().strip()

def run_applied(a, tools, tmp, fresh, record):
    root, tools = tmp / "applied", [t for t in tools if t not in PSQL]
    layout(root, a.applied, nothing)
    for name in tools:
        db = f"a_{name}"
        fresh(db)
        cmd = command(name, root, with_db(a.url, db))
        if name == "migrate":  # applying them would take it a minute, and leave the same row
            cmd = cmd[:-1] + ["force", str(a.applied)]
        timed(cmd, tmp / f"{name}.log")
    admin(a.url, "CHECKPOINT")
    def again(work, names, **kw):
        for _ in range(a.rounds * a.noops):
            for name in random.sample(names, len(names)):
                record(work, name, timed(command(name, root, with_db(a.url, f"a_{name}")), tmp / f"{name}.log", **kw))
    again("applied", tools)
    changed = root / f"flyway/V{a.applied // 2}__m{a.applied // 2}.sql"
    changed.write_text(changed.read_text().replace("made", "Made"))
    careful = [t for t in tools if t in ("skein", "flyway")]
    for name in careful:
        (tmp / f"{name}.log").unlink()
    again("changed", careful, expect="an error")
    for name in careful:
        if (tmp / f"{name}.log").read_text().count(f"version {a.applied // 2}\n") < a.rounds * a.noops:
            sys.exit(f"{name} did not name the file that was changed")
    for name in tools:
        admin(a.url, f"DROP DATABASE a_{name}")

def run_many(a, tools, tmp, fresh, record):
    layout(tmp / "many", a.many)
    for _ in range(a.rounds):
        for name in tools:
            rank, at, table = "installed_rank", "installed_on", "flyway_schema_history"
            if name in PSQL:
                rank, at, table = "rank", "at", "history"
            elif name not in ("skein", "flyway"):
                continue
            fresh("many")
            m = timed(command(name, tmp / "many", with_db(a.url, "many")), tmp / f"{name}.log")
            when = f"extract(epoch from (select {at} from {table} where {rank} = %d) - (select {at} from {table} where {rank} = %d))"
            m["first"], m["last"] = map(float, ask(with_db(a.url, "many"), "select " + when % (1001, 1) + ", " + when % (a.many, a.many - 1000)).split("|"))
            record("many", name, m)
            admin(a.url, "DROP DATABASE many")
    shutil.rmtree(tmp / "many")

def main():
    if sys.argv[1:2] == ["--write-bulk"]:
        return write_bulk(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    ap = argparse.ArgumentParser()
    ap.add_argument("--url", required=True); ap.add_argument("--tools", required=True)
    ap.add_argument("--work", default="tiny,noop,latency"); ap.add_argument("--n", type=int, default=2000)
    ap.add_argument("--rounds", type=int, default=3); ap.add_argument("--delay", type=float, default=0.005)
    ap.add_argument("--bulk-mb", type=int, default=256); ap.add_argument("--noops", type=int, default=5)
    ap.add_argument("--applied", type=int, default=10000); ap.add_argument("--many", type=int, default=20000)
    ap.add_argument("--out")
    a = ap.parse_args()
    tools, works = a.tools.split(","), a.work.split(",")
    for name in tools:
        tool("psql" if name in PSQL else name)
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="bench"))
    result = {}
    def record(work, name, m):
        result.setdefault(work, {}).setdefault(name, []).append(m)
    def fresh(db):
        admin(a.url, f"DROP DATABASE IF EXISTS {db}"); admin(a.url, f"CREATE DATABASE {db}"); admin(a.url, "CHECKPOINT")
    # These databases stay until the end: for a minute after a file was deleted, a file system such as ext4 looks at its inode
    # again and again where it makes a new file, which slows down whoever comes next.
    if "tiny" in works or "noop" in works:
        layout(tmp / "tiny", a.n)
        for r in range(a.rounds):
            for name in tools:
                db = f"b_{name}_{r}"
                fresh(db)
                cmd = command(name, tmp / "tiny", with_db(a.url, db))
                record("tiny", name, timed(cmd, tmp / f"{name}.log"))
            # The disk has to be done with what the tools wrote, and whoever runs after another must not always be the same.
            admin(a.url, "CHECKPOINT")
            for _ in range(a.noops if "noop" in works else 0):
                for name in random.sample(tools, len(tools)):
                    if name not in PSQL:
                        cmd = command(name, tmp / "tiny", with_db(a.url, f"b_{name}_{r}"))
                        record("noop", name, timed(cmd, tmp / f"{name}.log"))
    if "latency" in works:
        layout(tmp / "lat", max(50, a.n // 10))
        u = urlparse(a.url)
        px = Latency(u.hostname, u.port, a.delay); px.start(); px.ready.wait()
        far = f"postgres://{u.username}@127.0.0.1:{px.port}/postgres"
        for r in range(a.rounds):
            for name in tools:
                db = f"l_{name}_{r}"
                fresh(db)
                record("latency", name, timed(command(name, tmp / "lat", with_db(far, db)), tmp / f"{name}.log"))
    if "applied" in works:
        run_applied(a, tools, tmp, fresh, record)
    if "many" in works:
        run_many(a, tools, tmp, fresh, record)
    if "bulk" in works:
        run_bulk(a, tools, tmp, fresh, record, "bulk", 1, a.rounds)
    if "large" in works:
        run_bulk(a, tools, tmp, fresh, record, "large", 10, 1)
    for r in range(a.rounds):
        for db in (f"{kind}_{name}_{r}" for kind in "bl" for name in tools):
            admin(a.url, f"DROP DATABASE IF EXISTS {db}")
    report(a, result)
    if a.out:
        with open(a.out, "w") as f:
            json.dump(result, f, indent=1)
    shutil.rmtree(tmp, ignore_errors=True)

def report(a, result):
    show = lambda name: ask(a.url, f"SHOW {name}")
    print(f"bench.py {shlex.join(sys.argv[1:])}\n{show('server_version')}, fsync {show('fsync')}, synchronous_commit {show('synchronous_commit')}, "
          f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {time.strftime('%Y-%m-%d')}")
    med = lambda ms, k: statistics.median(m[k] for m in ms)
    size = {"latency": max(50, a.n // 10), "bulk": f"{a.bulk_mb} MB", "large": f"{10 * a.bulk_mb} MB",
            "applied": a.applied, "changed": a.applied, "many": a.many}
    for work, by in result.items():
        base = next((name for name in ("psql", "migrate") if name in by), None)
        of = base and med(by[base], "wall")
        if work == "large" and (small := result.get("bulk", {}).get("migrate")):
            base, of = "1/10", med(small, "wall")
        rounds = len(next(iter(by.values())))
        print(f"\n{work}  (n={size.get(work, a.n)}, runs={rounds})\n{'tool':10}{'wall s':>9}{'x ' + base if base else '':>10}{'cpu s':>9}{'peak MB':>9}"
              + (f"{'first s':>9}{'last s':>9}{'ratio':>9}" if work == "many" else ""))
        for name, ms in sorted(by.items(), key=lambda kv: med(kv[1], "wall")):
            ratio = f"{med(ms, 'wall') / of:.2f}" if base else ""
            line = f"{name:10}{med(ms, 'wall'):9.3f}{ratio:>10}{med(ms, 'cpu'):9.3f}{med(ms, 'rss_mb'):9.1f}"
            if work == "many":
                first, last = med(ms, "first"), med(ms, "last")
                line += f"{first:9.3f}{last:9.3f}{last / first:9.3f}"
            print(line)

if __name__ == "__main__":
    main()
