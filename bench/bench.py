#!/usr/bin/env python3
"""Side-by-side benchmark of PostgreSQL migration tools on one server, in one run.

usage: bench.py --url postgres://postgres@127.0.0.1:PORT/postgres --tools psql,skein,goose,migrate,tern,dbmate,flyway
                --work tiny,noop,latency,bulk [--n 2000] [--rounds 3] [--noops 5] [--out result.json]

tiny     n small migrations (table, index, two rows each) on an empty database
noop     the same command again, with nothing left to do, --noops times a round, in a shuffled order, after a checkpoint
latency  n/10 of them (at least 50) through a proxy that adds --delay seconds to each round trip
bulk     one script of --bulk-mb megabytes of INSERTs

Each tool gets a fresh database for each round; rounds are interleaved (A B C A B C ...), the server is at a
checkpoint before each, medians are quoted, and every figure is also given as a ratio to psql running the same
statements (noop: to golang-migrate). Peak memory is the tool's own; figures under 11 MB are Python's.
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

def command(name, root, url):
    u = urlparse(url)
    if name == "psql":
        return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(root / "all.sql"), url]
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

def timed(cmd, log):
    r, w = os.pipe()
    with open(log, "ab") as f:
        p = subprocess.Popen([sys.executable, "-I", "-S", "-c", LAUNCH, str(w), shutil.which(cmd[0])] + cmd[1:],
                             pass_fds=[w], stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT)
    os.close(w)
    with os.fdopen(r) as f:
        report = f.read().split() or ["none"]
    p.wait()
    if report[0] != "0":
        words = pathlib.Path(log).read_text(errors="replace")[-2000:]
        raise SystemExit(f"{shlex.join(cmd)} failed (exit code {report[0]}); the end of {log}:\n{words}")
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

def write_bulk(root, mb):
    row = "INSERT INTO big VALUES (%d, 'the quick brown fox jumps over the lazy dog, and then it sleeps', now());\n"
    layout(pathlib.Path(root), 1, lambda i: "CREATE TABLE big (id int, t text, at timestamptz);\n"
           + "".join(row % k for k in range(mb * 1024 * 1024 // len(row))))

def main():
    if sys.argv[1:2] == ["--write-bulk"]:
        return write_bulk(sys.argv[2], int(sys.argv[3]))
    ap = argparse.ArgumentParser()
    ap.add_argument("--url", required=True); ap.add_argument("--tools", required=True)
    ap.add_argument("--work", default="tiny,noop,latency"); ap.add_argument("--n", type=int, default=2000)
    ap.add_argument("--rounds", type=int, default=3); ap.add_argument("--delay", type=float, default=0.005)
    ap.add_argument("--bulk-mb", type=int, default=256); ap.add_argument("--noops", type=int, default=5)
    ap.add_argument("--out")
    a = ap.parse_args()
    tools, works = a.tools.split(","), a.work.split(",")
    for name in tools:
        tool(name)
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="bench"))
    result = {}
    def record(work, name, m):
        result.setdefault(work, {}).setdefault(name, []).append(m)
    def fresh(db):
        admin(a.url, f"DROP DATABASE IF EXISTS {db}"); admin(a.url, f"CREATE DATABASE {db}"); admin(a.url, "CHECKPOINT")
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
                    if name != "psql":
                        cmd = command(name, tmp / "tiny", with_db(a.url, f"b_{name}_{r}"))
                        record("noop", name, timed(cmd, tmp / f"{name}.log"))
            for name in tools:
                admin(a.url, f"DROP DATABASE b_{name}_{r}")
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
                admin(a.url, f"DROP DATABASE {db}")
    if "bulk" in works:
        # written by a child, so that the text never sits in this process
        subprocess.run([sys.executable, __file__, "--write-bulk", str(tmp / "bulk"), str(a.bulk_mb)], check=True)
        for r in range(max(1, a.rounds - 1)):
            for name in tools:
                db = f"k_{name}_{r}"
                fresh(db)
                try:
                    record("bulk", name, timed(command(name, tmp / "bulk", with_db(a.url, db)), tmp / f"{name}.log"))
                except SystemExit as e:
                    print(e, file=sys.stderr)
                admin(a.url, f"DROP DATABASE {db}")
    report(a, result)
    if a.out:
        with open(a.out, "w") as f:
            json.dump(result, f, indent=1)
    shutil.rmtree(tmp, ignore_errors=True)

def report(a, result):
    show = lambda q: sh(["psql", "-X", "-A", "-t", a.url, "-c", q]).stdout.decode().strip()
    print(f"bench.py {shlex.join(sys.argv[1:])}\n{show('SHOW server_version')}, fsync {show('SHOW fsync')}, "
          f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, {time.strftime('%Y-%m-%d')}")
    med = lambda ms, k: statistics.median(m[k] for m in ms)
    for work, by in result.items():
        base = next((name for name in ("psql", "migrate") if name in by), None)
        size = {"latency": max(50, a.n // 10), "bulk": f"{a.bulk_mb} MB"}.get(work, a.n)
        rounds = len(next(iter(by.values())))
        print(f"\n{work}  (n={size}, runs={rounds})\n{'tool':10}{'wall s':>9}{'x ' + base if base else '':>10}{'cpu s':>9}{'peak MB':>9}")
        for name, ms in sorted(by.items(), key=lambda kv: med(kv[1], "wall")):
            ratio = f"{med(ms, 'wall') / med(by[base], 'wall'):.2f}" if base else ""
            print(f"{name:10}{med(ms, 'wall'):9.3f}{ratio:>10}{med(ms, 'cpu'):9.3f}{med(ms, 'rss_mb'):9.1f}")

if __name__ == "__main__":
    main()
