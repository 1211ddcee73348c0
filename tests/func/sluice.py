# SPDX-License-Identifier: Apache-2.0
"""A real sluiced on free ports in a folder of its own, for functional tests."""
import atexit
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

TOP = os.environ.get("top_srcdir", ".")
BUILD = os.environ.get("top_builddir", ".")
SHARED = os.path.join(TOP, "..", "shared")
LONG = bool(os.environ.get("SLUICE_LONG"))

SANITIZER = re.compile(r"(Address|Leak|Thread|Memory)Sanitizer|runtime error: ")


class Clock:
    """Of every process that is started while it is there: off seconds ahead."""

    def __init__(self):
        self.off = 0
        with tempfile.NamedTemporaryFile(delete=False) as f:
            self.path = f.name
        self.turn(0)
        os.environ.update(LD_PRELOAD=os.path.abspath(os.path.join(BUILD, "tests", "func", "clock.so")),
                          CLOCK_OFF=self.path,
                          ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")

    def turn(self, seconds):
        self.off += seconds
        with open(self.path, "r+b") as f:
            f.write(struct.pack("=q", self.off))

    def __enter__(self):
        return self

    def __exit__(self, *why):
        del os.environ["LD_PRELOAD"]
        os.unlink(self.path)


def wait_for(what, condition, seconds=60):
    """The first true value of condition; fails with `what` when there is none in time. A look counts
    for two seconds at most: when it takes longer it is the machine that stands still."""
    left = seconds
    while True:
        began = time.monotonic()
        value = condition()
        if value:
            return value
        if left <= 0:
            raise AssertionError("waited %d s in vain: %s" % (seconds, what))
        time.sleep(0.02)
        left -= min(2, time.monotonic() - began)


def typed(words, line):
    """A command at a terminal, where somebody types a line: its exit status and what the terminal shows."""
    ours, theirs = os.openpty()
    asked = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, line.encode() + b"\n")
    shown = b""
    while True:
        try:
            more = os.read(ours, 65536)
        except OSError:  # nobody has the other end any more
            break
        if not more:
            break
        shown += more
    os.close(ours)
    return asked.wait(30), shown.decode()


def ports_to_give():
    """Below those that the system gives by itself, to whom connects and to other programs."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        low = int(f.read().split()[0])
    return range(max(1024, low - 20000), low) if low > 4096 else range(10000, 30000)


PORTS, GIVEN = ports_to_give(), []


def free_port():
    """A port that is free for TCP and UDP, and that no other test is given while this one runs: each has
    a name in the abstract namespace of sockets, which ends with us."""
    while True:
        port = random.choice(PORTS)
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            ours.bind("\0sluice-test-port-%d" % port)
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as s:
                    s.bind(("127.0.0.1", port))
        except OSError:
            ours.close()
            continue
        GIVEN.append(ours)
        return port


def udp_and_tcp():
    """Sockets bound to one free port of loopback; the TCP one does not listen yet, so it refuses."""
    while True:
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
            return udp, tcp
        except OSError:
            udp.close()
            tcp.close()


def demo_with_ingests(more):
    """The demo's catalogue, where live has the ingests north and south; more: lines at its end."""
    with open(os.path.join(TOP, "conf", "examples", "demo", "catalog.yaml"), encoding="utf-8") as f:
        head, found, tail = f.read().partition("    explain: true\n")
    assert found
    return head + found + """    ingest:
      - {name: north, unit: u1, url: "rtmp://north.example/live/{stream}"}
      - {name: south, unit: u2, url: "rtmp://south.example/live/{stream}"}
""" + tail + more


class Sluice:
    """One daemon. example: a folder of conf/examples; geo: lines of sluice.yaml's geo section."""

    def __init__(self, example="demo", geo=None, extra="", threads=1, prepare=None):
        self.dir = tempfile.mkdtemp(prefix="sluice-func-")
        atexit.register(shutil.rmtree, self.dir, ignore_errors=True)  # where it is never entered
        source = os.path.join(TOP, "conf", "examples", example)
        for name in os.listdir(source):
            shutil.copy(os.path.join(source, name), self.dir)
        nets = os.path.abspath(os.path.join(TOP, "geo", "nets.csv"))
        self.dns, self.http, self.reports, self.admin = (free_port() for _ in range(4))
        self.config = os.path.join(self.dir, "sluice.yaml")
        self.write("sluice.yaml", """catalog: catalog.yaml
state: run
explain: true
listen: {dns: ["127.0.0.1:%d"], http: ["127.0.0.1:%d"], reports: ["127.0.0.1:%d"], admin: ["127.0.0.1:%d"]}
threads: {dns: %d, http: %d}
geo: {overrides: "%s"%s}
%s
""" % (self.dns, self.http, self.reports, self.admin, threads, threads, nets,
       ", " + geo if geo else "", extra))
        for name, octets in (prepare or {}).items():
            self.write_octets(name, octets)
        os.chmod(self.dir, 0o755)
        self.state = os.path.join(self.dir, "run")
        self.log_path = os.path.join(self.dir, "log")
        self.process = None
        self.connection = None

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as f:
            f.write(text)

    def write_octets(self, name, octets):
        path = os.path.join(self.dir, name)
        with open(path + ".new", "wb") as f:
            f.write(octets)
        os.rename(path + ".new", path)

    def read(self, name):
        with open(os.path.join(self.dir, name), encoding="utf-8") as f:
            return f.read()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        kind = kind if not isinstance(value, SystemExit) or value.code else None  # run ends in exit(0)
        code = self.stop()
        report = os.path.exists(self.log_path) and SANITIZER.search(self.log())
        if report:
            sys.stderr.write("--- sanitizer\n%s\n" % self.log()[report.start():][:6000])
        elif kind or code not in (0, None):
            sys.stderr.write("--- log of sluiced (exit %s)\n%s" % (code, self.log()[-6000:]))
        shutil.rmtree(self.dir, ignore_errors=True)
        if not kind:
            assert not report, "a role of sluiced has a sanitizer report"
            assert code in (0, None), "sluiced ended with %s" % code

    def start(self, wait=True):
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([os.path.join(BUILD, "sluiced"), "-c", self.config],
                                            stdout=log, stderr=log, start_new_session=True)
        if wait:
            wait_for("all listeners ready", self.ready, 120)

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError("sluiced ended with %d:\n%s" % (self.process.returncode, self.log()))
        return all(self.probe(p) for p in (self.http, self.reports, self.admin))

    @staticmethod
    def probe(port, path="/readyz"):
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            c.request("GET", path)
            return c.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        if self.connection:
            self.connection.close()
            self.connection = None
        if not self.process:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            code = self.process.wait()
        self.process = None
        return code

    def role(self, name):
        """One role alone, to be ended with Sluice.end."""
        with open(self.log_path, "a", encoding="utf-8") as log:
            return subprocess.Popen([os.path.join(BUILD, "sluiced"), "-c", self.config,
                                     "--role", name], stdout=log, stderr=log)

    @staticmethod
    def end(process):
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def pids(self):
        """Process ids by role."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if b"--role" in words and self.config.encode() in words:
                found[words[words.index(b"--role") + 1].decode()] = int(pid)
        return found

    def kill(self, role):
        os.kill(self.pids()[role], signal.SIGKILL)

    def ctl(self, *words, ok=True, text=None):
        """sluicectl --json; its parsed output, or (code, stderr) when it may fail."""
        run = subprocess.run([os.path.join(BUILD, "sluicectl"), "--socket",
                              os.path.join(self.state, "admin.sock"), "--json", *words],
                             capture_output=True, text=True, input=text, timeout=180, check=False)
        if not ok:
            return run.returncode, run.stderr
        assert run.returncode == 0, "sluicectl %s: %d %s" % (words, run.returncode, run.stderr)
        return json.loads(run.stdout) if run.stdout.strip() else None

    def get(self, path, port=None):
        """(status, parsed body) over one kept connection."""
        if port:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            r, body = self.get_once(path)
        except (ConnectionError, http.client.HTTPException):  # its process fell since
            self.connection = None
            r, body = self.get_once(path)
        if port:
            self.connection = None
        try:
            return r.status, json.loads(body)
        except ValueError:
            return r.status, body.decode("utf-8", "replace")

    def get_once(self, path):
        if not self.connection:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=60)
        self.connection.request("GET", path)
        r = self.connection.getresponse()
        return r, r.read()

    def resolve(self, host="live.sluice.example", **params):
        query = "&".join("%s=%s" % (k, v) for k, v in params.items())
        status, body = self.get("/v1/resolve?host=%s&%s" % (host, query))
        assert status == 200, (status, body)
        return body

    def query(self, name, kind="A", ecs=None, tcp=False, timeout=30, **options):
        if ecs:
            options["options"] = [dns.edns.ECSOption(*ecs)]
        q = dns.message.make_query(name, kind, use_edns=0, payload=1232, **options)
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(q, "127.0.0.1", port=self.dns, timeout=timeout)

    def explain_txt(self, address, host="live.sluice.example", bits=24):
        """TXT _sluice.HOST for a client, as a dict, with the scope of the reply's ECS."""
        reply = self.query("_sluice." + host, "TXT", ecs=(address, bits))
        words = reply.answer[0][0].strings[0].decode()
        found = dict(w.split("=", 1) for w in words.split())
        found["ecs"] = [o.scopelen for o in reply.options if isinstance(o, dns.edns.ECSOption)]
        return found

    def metric(self, name, labels=""):
        """Sum of a metric's samples whose labels hold this text."""
        c = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=60)
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
        return sum(float(m.group(2)) for m in
                   re.finditer(r"^%s(\{[^}]*\})? (\S+)$" % re.escape(name), text, re.M)
                   if labels in (m.group(1) or ""))

    def tick(self):
        """Waits for two more ticks of control to have reached the answers."""
        def generation():
            status, body = self.get("/v1/resolve?host=live.sluice.example&ip=192.0.2.1&client=t")
            view = body.get("view", "0.0") if status == 200 else "0.0"
            return int(view.split(".")[1])
        first = generation()
        wait_for("two ticks", lambda: generation() >= first + 2)


def run(cases):
    """Runs test functions, in order, and tells each by a line."""
    failed = 0
    for case in cases:
        began = time.monotonic()
        try:
            case()
            print("PASS: %s (%.1f s)" % (case.__name__, time.monotonic() - began), flush=True)
        except Exception as why:  # pylint: disable=broad-except
            import traceback
            failed += 1
            traceback.print_exc()
            print("FAIL: %s: %s" % (case.__name__, why), flush=True)
    sys.exit(1 if failed else 0)
