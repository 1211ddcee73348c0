#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The fault table of docs/alerts.md caused row by row in a real daemon: each fault's alert fires, the alerts of
its effects do not, and it ends when the fault ends. Faults that do not touch one another are caused side by side.
With SLUICE_LONG."""
import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time

from sluice import BUILD, LONG, TOP, Sluice, free_port, run, wait_for

FIRES_S, ENDS_S = 120, 120
closed = free_port()


def loop(*actions, every=0.02):
    """Does it over and over in a thread, until the function it returns is called."""
    over = threading.Event()

    def go():
        while not over.wait(every):
            for action in actions:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    action()
    thread = threading.Thread(target=go, daemon=True)
    thread.start()

    def stop():
        over.set()
        thread.join(30)
    return stop


class Night:
    """One daemon; what fires there, by name."""

    def __init__(self, daemon):
        self.daemon = daemon

    def states(self):
        for left in (2, 1, 0):  # a machine that is shared stands still at times
            try:
                got = self.daemon.ctl("alert", "list")["alerts"]
                break
            except subprocess.TimeoutExpired:
                if not left:
                    raise
        return {(a["alert"], a.get("labels", "")): a["state"] for a in got}

    def fires(self, name, label=""):
        return any(n == name and label in labels and state == "firing" for (n, labels), state in self.states().items())

    def together(self, faults, held=(), seconds=FIRES_S):
        """faults: (alert, label, cause), where cause() gives what ends the fault, or None if it ends by
        itself much later. held: alerts of effects, which come and are held back, since one cause alerts once."""
        ends, seen, back = [], set(), set()

        def all_fire():
            states = self.states()
            seen.update(n for (n, _), state in states.items() if state == "firing")
            back.update(n for (n, _), state in states.items() if state == "held")
            return not set(held) - back and not [1 for alert, label, _ in faults if not self.fires(alert, label)]
        try:
            for alert, label, cause in faults:
                ends.append((alert, label, cause()))
            try:
                wait_for("all to fire", all_fire, seconds)
            except AssertionError as why:
                raise AssertionError("did not fire: %s; held back were %s; there is %s" % (
                    [a for a, label, _ in faults if not self.fires(a, label)], back, self.states())) from why
        finally:
            for _, _, end in ends:
                if end:
                    end()
        assert not seen & set(held), "effects alert as well: %s" % (seen & set(held))
        for alert, label, end in ends:
            if end:
                wait_for("the end of %s %s" % (alert, label), lambda a=alert, l=label: not self.fires(a, l), ENDS_S)


def post(port, path, body):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    c.request("POST", path, json.dumps(body))
    r = c.getresponse()
    r.read()
    c.close()
    return r.status


def pushing(d, vendor, mbps):
    """A meter that says so every second; at its end one that says little."""
    stop = loop(lambda: d.ctl("meter", "push", vendor, str(mbps), ok=False), every=1)

    def end():
        stop()
        time.sleep(0.01)
        d.ctl("meter", "push", vendor, "1000")
    return end


def players(d, net, bad):
    """Reports of a group's players; those of the vendors in bad fail. At the end all are well, and go on."""
    serial, bad = iter(range(1 << 60)), set(bad)
    loop(lambda: post(d.reports, "/v1/qos", {"reports": [
        {"session": "%s%s%d" % (net, v, next(serial)), "stream": "a", "vendor": v, "ok": v not in bad or i == 0,
         "first_frame_ms": 300, "ip": "%s%d" % (net, 1 + i)} for v in ("alpha", "beta", "gamma") for i in range(20)]}),
         every=0.5)
    return bad.clear


def broken_packets(d):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", d.dns))
        for _ in range(60):
            s.send(b"\xff" * 7)


def broken_requests(d):
    """As fast as it goes, from many at once: a slow machine has to see a hundred a second too."""
    def one():
        with socket.create_connection(("127.0.0.1", d.http), timeout=5) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
            s.recv(100)
    stops = [loop(one, every=0.001) for _ in range(8)]
    return lambda: [stop() for stop in stops]


def edited(d, name, old, new):
    """A file of the configuration made bad and read again; at the end it is good again."""
    good = d.read(name)
    assert old in good
    d.write(name, good.replace(old, new))
    assert d.ctl("reload", ok=False)[0] == 1

    def end():
        d.write(name, good)
        d.ctl("reload")
    return end


def stopped(d, *roles):
    """Hung: the process is there and does nothing."""
    pids = [d.pids()[r] if r != "supervisor" else d.process.pid for r in roles]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    def end():
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    return end


def queries(d, n=60):
    q = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"\x04live\x06sluice\x07example\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", d.dns))
        for _ in range(n):
            s.send(q)


def overloaded(d):
    """More DNS queries than a socket holds while the answer process, with a tenth of its time, reads none."""
    pid = d.pids()["answer"]

    def tenth():
        os.kill(pid, signal.SIGSTOP)
        for _ in range(20):
            queries(d, 1000)
            time.sleep(0.02)
        os.kill(pid, signal.SIGCONT)
    return loop(tenth, every=0.05)


def thieves(port, kind):
    """Sockets that share a port of ours and answer nothing, as if a firewall took most packets."""
    sockets = []
    for _ in range(60):
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            s.listen(64)
        sockets.append(s)
    return lambda: [s.close() for s in sockets]


def killed_answer(d):
    """kill -9, and nobody starts it again for a while."""
    end = stopped(d, "supervisor")
    d.kill("answer")
    return end


def no_memory(d):
    """The answer process can map no new world."""
    pid = d.pids()["answer"]
    before = resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
    return lambda: resource.prlimit(pid, resource.RLIMIT_AS, before)


def sanitized():
    with open(os.path.join(BUILD, "sluiced"), "rb") as f:
        return b"__asan_init" in f.read()


def crashed_twice(d):
    for _ in range(2):
        pid = wait_for("control", lambda: d.ready() and d.pids().get("control"), 60)
        os.kill(pid, signal.SIGABRT)
        wait_for("its fall", lambda p=pid: d.pids().get("control") != p, 60)

    def aside():
        return [os.path.join(d.state, n) for n in os.listdir(d.state) if n.endswith(".set-aside")]
    wait_for("its files to be set aside", aside, 60)
    wait_for("control", d.ready, 60)
    return lambda: [os.unlink(path) for path in aside()]


def locked(d):
    """Another process has the store, and there are reads to be audited."""
    db = sqlite3.connect(d.state + "/store.db", timeout=5, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    d.ctl("vendor", "weight", "gamma", "0.9", ok=False)
    with open(d.state + "/admin.token", encoding="utf-8") as f:
        token = f.read().strip()
    c = http.client.HTTPConnection("127.0.0.1", d.admin, timeout=10)
    for _ in range(600):
        c.request("GET", "/v1/explain?ip=192.0.2.1&host=live.sluice.example", headers={"Authorization": "Bearer " + token})
        r = c.getresponse()
        r.read()
        assert r.status == 200, r.status
    c.close()

    def end():
        db.execute("ROLLBACK")
        db.close()
    return end


def garbage(d):
    """What collect hands over is no good any more."""
    end_collect, end_loop = stopped(d, "collect"), loop(lambda: d.write_octets("run/facts.blob", os.urandom(5000)))

    def end():
        end_loop()
        end_collect()
    return end


def forbidden(d, prefix):
    """Clients who may have no vendor, and ask and ask."""
    d.ctl("restrict", "deny", prefix + "/24", "--confirm", "restrict")
    stop = loop(lambda: [d.get_once("/v1/resolve?host=live.sluice.example&ip=" + prefix) for _ in range(5)], every=0.05)

    def end():
        stop()
        d.ctl("restrict", "remove", "*", "--confirm", "restrict")
    return end


def nobody_may(d):
    d.ctl("blacklist", "add", "*", "--confirm", "*")
    return lambda: d.ctl("blacklist", "remove", "*", "--confirm", "*")


def full_disk(d):
    path = d.state + "/world/ballast"
    with open(path, "wb", buffering=0) as f:
        with contextlib.suppress(OSError):
            while True:
                f.write(b"x" * 4096)
    return lambda: os.unlink(path)


def one_meter(d, vendor):
    """And then none for six minutes."""
    d.ctl("meter", "push", vendor, "5000")
    return lambda: d.ctl("meter", "push", vendor, "5000")


def what_takes_minutes():
    """A vendor that pushes no more, and one whose API was never there."""
    with Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": pulled().encode()}) as d:
        Night(d).together([("meter-silent", "alpha", lambda: one_meter(d, "alpha")),
                           ("meter-unread", "beta", lambda: None)], seconds=720)


def pulled():
    """The demo's catalogue, where beta's meter is pulled from where nobody listens."""
    with open(os.path.join(TOP, "conf", "examples", "demo", "catalog.yaml"), encoding="utf-8") as f:
        head, found, tail = f.read().partition("  - name: beta\n")
    assert found
    return head + found + "    meters: [{name: api, url: \"http://127.0.0.1:%d/\", value: /mbps}]\n" % closed + tail


def what_comes_from_outside():
    """Meters, probes, players, vendors at their bounds, a bad reload, hostile input."""
    d = Sluice(extra="tick_ms: 200\nalerts: {doors_s: 1, targets: [{url: 'http://127.0.0.1:%d'}], timeout_s: 1}" % closed)
    d.write("catalog.yaml", d.read("catalog.yaml") + "probes:\n  - {name: edge, kind: tcp, targets: [\"127.0.0.1:%d\"], "
            "every_s: 1, timeout_ms: 500, fall: 2, rise: 2}\n" % closed)
    with d:
        night = Night(d)
        night.together([
            ("probe-down", "edge", lambda: None),
            ("not-told", "", lambda: None),
            ("over-maximum", "beta", lambda: pushing(d, "beta", 17e6)),
            ("vendor-nearly-full", "gamma", lambda: pushing(d, "gamma", 8.7e6)),
            ("vendor-blacklisted", "alpha", lambda: players(d, "202.96.128.", ("alpha",))),
            ("all-bad", "", lambda: players(d, "27.40.0.", ("alpha", "beta", "gamma"))),
            ("hostile-dns", "", lambda: loop(lambda: broken_packets(d))),
            ("hostile-http", "framing", lambda: broken_requests(d)),
            ("hostile-reports", "", lambda: loop(lambda: post(d.reports, "/v1/qos", {"reports": [{"vendor": 7}] * 50}),
                                                 every=0.1)),
            ("config-refused", "", lambda: edited(d, "catalog.yaml", "max_mbps: 9000000", "max_mbps: lots")),
        ])
        with socket.create_server(("127.0.0.1", closed)):
            wait_for("the end of probe-down", lambda: not night.fires("probe-down"), ENDS_S)
        with open(os.path.join(TOP, "geo", "nets.csv"), encoding="utf-8") as f:
            d.write("nets.csv", f.read())
        d.write("sluice.yaml", d.read("sluice.yaml").replace(os.path.abspath(os.path.join(TOP, "geo", "nets.csv")), "nets.csv"))
        d.ctl("reload")
        night.together([("config-refused", "", lambda: edited(d, "nets.csv", ",telecom", ",\0\xff,,,,"))])


def processes_fall_and_hang():
    with Sluice(extra="tick_ms: 200\nalerts: {doors_s: 1}") as d:
        night = Night(d)
        night.together([("door-down", "dns-udp", lambda: thieves(d.dns, socket.SOCK_DGRAM)),
                        ("door-down", "http", lambda: thieves(d.http, socket.SOCK_STREAM)),
                        ("reports-door-down", "reports", lambda: thieves(d.reports, socket.SOCK_STREAM))])
        night.together([("answer-hung", "", lambda: stopped(d, "answer")),
                        ("collect-gone", "", lambda: stopped(d, "collect")),
                        ("answer-hung", "", lambda: loop(lambda: queries(d)))],
                       held=("door-down", "reports-door-down", "dns-overload"))
        night.together([("dns-overload", "", lambda: overloaded(d))])
        if not sanitized():  # which ends where there is no memory
            night.together([("answer-behind", "", lambda: no_memory(d))])
        night.together([("no-answer-workers", "", lambda: killed_answer(d))], held=("door-down",))
        wait_for("role-fell", lambda: night.fires("role-fell", "answer"), FIRES_S)
        d.kill("control")
        d.kill("collect")
        wait_for("role-fell", lambda: d.ready() and night.fires("role-fell", "control") and night.fires("role-fell", "collect"),
                 FIRES_S)
        night.together([("set-aside", "", lambda: crashed_twice(d))], held=("role-fell",))


def what_is_kept_and_handed_over():
    with Sluice(extra="tick_ms: 200") as d:
        night = Night(d)
        night.together([("store-unusable", "", lambda: locked(d)), ("facts-refused", "", lambda: garbage(d))],
                       held=("audit-waiting",))
        night.together([("http-errors", "", lambda: forbidden(d, "192.0.2.0"))])
        night.together([("service-kept", "", lambda: nobody_may(d))])


def a_disk_is_full():
    if os.geteuid() != 0:
        print("not root: no small disk to fill")
        return
    d = Sluice(extra="tick_ms: 200\nstale_after_s: 35")
    world = d.state + "/world"
    os.makedirs(world)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=0755", "tmpfs", world], capture_output=True,
                      check=False).returncode:
        print("no mount here: no small disk to fill")
        d.__exit__(None, None, None)
        return

    def larger():
        subprocess.run(["mount", "-o", "remount,size=64m", world], check=True)
    try:
        d.start(wait=False)
        wait_for("the admin door", lambda: d.probe(d.admin, "/healthz"), 60)
        night = Night(d)
        night.together([("no-world", "", lambda: larger)], held=("door-down",))
        wait_for("all listeners ready", d.ready, 60)
        night.together([("ticks-refused", "", lambda: None), ("world-old", "", lambda: full_disk(d)),
                        ("fallback-shares", "", lambda: None)])
        wait_for("the ends", lambda: not [1 for n, _ in night.states() if n in ("ticks-refused", "fallback-shares")], ENDS_S)
    finally:
        try:
            d.stop()
        finally:
            subprocess.run(["umount", "-l", world], check=False)
            d.__exit__(None, None, None)


def side_by_side(cases):
    """They wait most of the time, each for a daemon of its own."""
    def told(case):
        try:
            case()
        except BaseException as why:  # pylint: disable=broad-except
            failed.append((case.__name__, why))
            raise
        print("done: " + case.__name__, flush=True)
    failed = []
    threads = [threading.Thread(target=told, args=(case,)) for case in cases]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed


def every_fault_alerts_and_its_end_ends_it():
    side_by_side([what_comes_from_outside, processes_fall_and_hang, what_is_kept_and_handed_over, a_disk_is_full]
                 + [what_takes_minutes])


if not LONG:
    print("SKIP: long; SLUICE_LONG=1 runs it")
    sys.exit(77)
run([every_fault_alerts_and_its_end_ends_it])
