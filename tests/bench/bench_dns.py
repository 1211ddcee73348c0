#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CPU per DNS answer, ours beside yardsticks, in turn over rounds; `make bench-dns`.

  echo    tests/bench/dns_echo: receive and send, nothing between
  ours    the answer process over the bench catalogue, all that is on by default on, a tick a second
  gdnsd   gdnsd's geoip plugin: the first of a place's vendors that is up
  gdnsdw  the same with its weighted plugin behind: one of six vendors by a place's weights, our job
  knot    Knot's geoip module: a place's vendor

Each server has one thread and the first core to itself; the load (sluice-bench, 512 questions under
way) runs on the second. Total is the scheduler's exact account. What part of it is user time is
sampled by perf, SAMPLES times a second of CPU: the kernel's own account of it rests on some hundred
ticks a second, too few for servers that are in user mode one time in twenty. Both are the medians
of the rounds.
All over the same database. gdnsd has no key for one without continents, so it gets the database's
prefixes as `nets`, each with a place by its (country, province, carrier): 3 of them, or 200 with
weights of their own (gdnsd knows at most 254; ours has a row for each of 600 groups). gdnsd and Knot
come from the packages of group bench-dns; without them their rows are absent.
"""
import argparse
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zlib

TOP = os.path.abspath(os.environ.get("top_srcdir") or ".")
BUILD = os.path.abspath(os.environ.get("top_builddir") or "build")
HOST = "live.sluice.example"
CPUCLOCK_SCHED = 2  # clock_getcpuclockid(3) of a process
SAMPLES = 4999      # a second; in no step with the kernel's ticks
VENDORS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")

ZONE = """$TTL 300
@ SOA ns1 admin 1 3600 600 60 60
@ NS ns1
ns1 A 192.0.2.53
"""


class Mmdb:
    """Just enough of the MaxMind DB format 2.0 to walk all its networks."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.b = f.read()
        at = self.b.rindex(b"\xab\xcd\xefMaxMind.com") + 14
        self.base = at
        self.meta = self.value(at)[0]
        self.size = self.meta["record_size"]
        self.nodes = self.meta["node_count"]
        self.base = self.nodes * self.size // 4 + 16
        self.seen = {}

    def value(self, at):
        c = self.b[at]
        kind, n, at = c >> 5, c & 31, at + 1
        if kind == 1:
            bits = c >> 3 & 3
            n = int.from_bytes(self.b[at:at + bits + 1], "big")
            if bits < 3:
                n += ((c & 7) << 8 * (bits + 1)) + (0, 2048, 526336)[bits]
            return self.value(self.base + n)[0], at + bits + 1
        if kind == 0:
            kind, at = 7 + self.b[at], at + 1
        if n > 28:
            more = n - 28
            n = int.from_bytes(self.b[at:at + more], "big") + (29, 285, 65821)[more - 1]
            at += more
        if kind == 7:
            found = {}
            for _ in range(n):
                key, at = self.value(at)
                found[key], at = self.value(at)
            return found, at
        if kind == 11:
            found = []
            for _ in range(n):
                item, at = self.value(at)
                found.append(item)
            return found, at
        if kind == 14:
            return bool(n), at
        octets = self.b[at:at + n]
        if kind == 2:
            return octets.decode(), at + n
        return (int.from_bytes(octets, "big") if kind != 3 else 0.0), at + n

    def record(self, node, side):
        if self.size == 28:
            b = self.b[node * 7:node * 7 + 7]
            if side:
                return (b[3] & 15) << 24 | b[4] << 16 | b[5] << 8 | b[6]
            return (b[3] & 240) << 20 | b[0] << 16 | b[1] << 8 | b[2]
        width = self.size // 8
        at = (node * 2 + side) * width
        return int.from_bytes(self.b[at:at + width], "big")

    def key(self, record):
        if record not in self.seen:
            v = self.value(record - self.nodes - 16 + self.base)[0]
            part = (v.get("subdivisions") or [{}])[0].get("iso_code", "")
            self.seen[record] = (v.get("country", {}).get("iso_code", ""), part, v.get("isp", ""))
        return self.seen[record]

    def networks(self):
        """(IPv4 network, key) of the whole tree."""
        root = 0
        for _ in range(96 if self.meta["ip_version"] == 6 else 0):
            root = self.record(root, 0)
        stack = [(root, 0, 0)]
        while stack:
            node, address, depth = stack.pop()
            if node < self.nodes:
                stack.append((self.record(node, 1), address | 1 << 31 - depth, depth + 1))
                stack.append((self.record(node, 0), address, depth + 1))
            elif node > self.nodes:
                yield ipaddress.ip_network((address, depth)), self.key(node)


def cpu_ns(pid):
    """On a core, of a process with all its threads."""
    return time.clock_gettime_ns(~pid << 3 | CPUCLOCK_SCHED)


class UserTime:
    """That of a process with all its threads while the block runs; ns holds it afterwards."""

    def __init__(self, pid, data):
        self.words = ["taskset", "-c", "1", "perf", "record", "-e", "cpu-clock:u", "-F",
                      str(SAMPLES), "-o", data, "-p", str(pid)]

    def __enter__(self):
        self.perf = subprocess.Popen(self.words, stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        if self.perf.poll() is not None:
            sys.exit("bench-dns: perf: " + self.perf.communicate()[1])
        return self

    def __exit__(self, *_):
        self.perf.send_signal(signal.SIGINT)
        said = self.perf.communicate()[1]
        seen = re.search(r"\((\d+) samples\)", said)
        if not seen:
            sys.exit("bench-dns: perf: " + said)
        self.ns = int(seen[1]) * 10**9 / SAMPLES


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, folder, port):
        self.dir, self.port = os.path.join(folder, type(self).__name__.lower()), port
        os.mkdir(self.dir)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def start(self, db):
        words = self.words(db)
        with open(os.path.join(self.dir, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(["taskset", "-c", "0", *words], stdout=log, stderr=log)
        until = time.monotonic() + 180
        while self.load(0.1, False)["answered"] == 0:
            if time.monotonic() > until or self.process.poll() is not None:
                with open(os.path.join(self.dir, "log"), encoding="utf-8") as log:
                    sys.exit("%s does not answer:\n%s" % (words[0], log.read()[-2000:]))
            time.sleep(0.2)

    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def load(self, seconds, ecs):
        words = ["taskset", "-c", "1", os.path.join(BUILD, "sluice-bench"), "--dns",
                 "127.0.0.1:%d" % self.port, "--host", HOST, "--inflight", "512", "--seconds",
                 str(seconds), "--json"] + (["--ecs", "random"] if ecs else [])
        run = subprocess.run(words, capture_output=True, text=True, check=False)
        try:
            return json.loads(run.stdout)
        except ValueError:
            return {"answered": 0}

    def measure(self, seconds, ecs):
        """(ns, user ns of an answer, answers/s, lost)."""
        before = cpu_ns(self.pid())
        with UserTime(self.pid(), os.path.join(self.dir, "perf.data")) as user:
            got = self.load(seconds, ecs)
        n = max(got["answered"], 1)
        return ((cpu_ns(self.pid()) - before) / n, user.ns / n, got.get("rate", 0),
                got.get("lost", 0))


class Echo(Server):
    def words(self, _):
        return [os.path.join(BUILD, "tests/bench/dns_echo"), "127.0.0.1:%d" % self.port]


class Ours(Server):
    def words(self, db):
        return [os.path.join(BUILD, "sluiced"), "-c", self.write("sluice.yaml", """
catalog: "%s/conf/examples/bench/catalog.yaml"
state: run
listen: {dns: ["127.0.0.1:%d"], http: [], reports: [], admin: []}
threads: {dns: 1, http: 1}
geo: {databases: ["%s"]}
""" % (TOP, self.port, db))]

    def pid(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    line = f.read()
            except OSError:
                continue
            if b"--role\0answer" in line and self.dir.encode() in line:
                return int(pid)
        raise RuntimeError("no answer process")


class Gdnsd(Server):
    """The first of three vendors by place that is up."""
    PLACES = 3
    LIST = 3

    def targets(self):
        """(what each place's datacenter leads to, the configuration of another plugin)"""
        return ["live.%s.example." % v for v in VENDORS[:self.PLACES]], ""

    def words(self, db):
        def places(key):
            first = zlib.crc32("/".join(key).encode())
            return ", ".join("p%d" % ((first + i) % self.PLACES) for i in range(self.LIST))

        self.write("geoip/nets", "".join(
            "%s => [%s]\n" % (net, places(key)) for net, key in Mmdb(db).networks()))
        self.write("zones/sluice.example", ZONE + "live 20 DYNC geoip!live\n")
        os.mkdir(os.path.join(self.dir, "run"))
        targets, plugin = self.targets()
        self.write("config", """
options => { listen => "127.0.0.1", dns_port => %d, udp_threads => 1, tcp_threads => 1,
  run_dir => "%s/run", state_dir => "%s/run" }
plugins => { %s geoip => { maps => { m => { datacenters => [%s], nets => nets } },
  resources => { live => { map => m, dcmap => { %s } } } } }
""" % (self.port, self.dir, self.dir, plugin, ", ".join("p%d" % i for i in range(len(targets))),
            ", ".join("p%d => %s" % (i, t) for i, t in enumerate(targets))))
        return ["gdnsd", "-c", self.dir, "start"]


class GdnsdW(Gdnsd):
    """One of six vendors for a place, by weights of its own: our job."""
    PLACES = 200 # gdnsd knows at most 254
    LIST = 1

    def targets(self):
        places = ", ".join("w%d => { %s }" % (i, ", ".join(
            "%s => [ live.%s.example., %d ]" % (v, v, 1 + zlib.crc32(b"%d%d" % (i, k)) % 1000)
            for k, v in enumerate(VENDORS))) for i in range(self.PLACES))
        return (["%%weighted!w%d" % i for i in range(self.PLACES)],
                "weighted => { %s }," % places)


class Knot(Server):
    def words(self, db):
        keys = sorted({(k[0], k[2]) for k in Mmdb(db).seen_keys()})
        self.write("geo.conf", HOST + ".:\n" + "".join(
            '  - geo: "%s;%s"\n    CNAME: live.%s.example.\n' % (
                c or "*", isp or "*", VENDORS[zlib.crc32((c + isp).encode()) % 3])
            for c, isp in keys) + '  - geo: "*;*"\n    CNAME: live.alpha.example.\n')
        self.write("sluice.example.zone", ZONE.replace("ns1 ", "ns1.sluice.example. ", 1) +
                   "live 20 CNAME live.alpha.example.\n")
        return ["knotd", "-c", self.write("knot.conf", """
server:
    listen: 127.0.0.1@%d
    rundir: "%s"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    edns-client-subnet: on
database:
    storage: "%s"
mod-geoip:
  - id: geo
    config-file: "%s/geo.conf"
    ttl: 20
    mode: geodb
    geodb-file: "%s"
    geodb-key: [country/iso_code, isp]
zone:
  - domain: sluice.example
    storage: "%s"
    file: "sluice.example.zone"
    module: mod-geoip/geo
""" % (self.port, self.dir, self.dir, self.dir, db, self.dir))]


def seen_keys(self):
    for _ in self.networks():
        pass
    return self.seen.values()


Mmdb.seen_keys = seen_keys


def table(rows, rounds):
    print("%-10s %8s %8s %8s %9s %6s %11s %11s %12s" % (
        "server", "user ns", "sys ns", "total ns", "answers/s", "lost", "total/echo", "user/gdnsd",
        "user/gdnsdw"))
    middle = {}
    for name, got in rows.items():
        total, user, rate = (statistics.median(r[i] for r in got) for i in range(3))
        middle[name] = total, user, rate, sum(r[3] for r in got)
    for name, (total, user, rate, lost) in middle.items():
        kind = " ecs" if name.endswith(" ecs") else ""
        peers = [middle.get(peer + kind) for peer in ("gdnsd", "gdnsdw")]
        print("%-10s %8.0f %8.0f %8.0f %9.0f %6d %11.2f %11s %12s" % (
            name, user, total - user, total, rate, lost, total / middle["echo" + kind][0],
            *("%.2f" % (user / peer[1]) if peer and peer[1] else "-" for peer in peers)))
    print("%d rounds" % rounds)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--db", help="the .mmdb file")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=3)
    o = p.parse_args()
    found = [o.db, os.path.join(TOP, "../shared/data/steering-world.mmdb"),
             os.path.join(BUILD, "geodata/world.mmdb")]
    db = next((os.path.abspath(f) for f in found if f and os.path.exists(f)), None)
    if not db:
        sys.exit("bench-dns: no .mmdb file; give one with --db")
    if not shutil.which("perf"):
        sys.exit("bench-dns: no perf; tools/install bench-dns brings it")
    folder = tempfile.mkdtemp(prefix="sluice-bench-")
    os.chmod(folder, 0o755)
    kinds = [k for k, program in ((Echo, None), (Ours, None), (Gdnsd, "gdnsd"), (GdnsdW, "gdnsd"),
                                        (Knot, "knotd"))
             if not program or shutil.which(program) or print("no row of %s: not installed" % program)]
    servers, rows = [], {}
    try:
        for kind in kinds:
            s = kind(folder, free_port())
            s.start(db)
            servers.append(s)
        for _ in range(o.rounds):
            for ecs in (False, True):
                for s in servers:
                    name = type(s).__name__.lower() + (" ecs" if ecs else "")
                    rows.setdefault(name, []).append(s.measure(o.seconds, ecs))
        table(rows, o.rounds)
    finally:
        for s in servers:
            s.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
