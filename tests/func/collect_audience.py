#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A scripted audience of 100 000 viewers over three vendors (fewer where the machine is too busy), with
known stalls and failures, posted through the real listener: every indicator equals what is counted here
from the script alone."""
import collections
import http.client
import json
import os
import random
import subprocess
import tempfile
import threading
import time

BUILD = os.environ.get("top_builddir") or "build"
SERVER = os.path.join(BUILD, "tests/func/collect_server")
VENDORS = ("alpha", "beta", "gamma")
GROUPS = (0, 1, 2, 3)  # of the test world: default, CN/GD/telecom, CN/GD/unicom, US
NETS = ("192.168", "10.1", "10.2", "10.3")
PACE = 1000  # of a sender, before it waits for the facts
# Viewers, senders, reports of a request, and the tick. Where the machine is so busy that the server sheds,
# or that reports are a minute old when they come, nothing is exact, and the next of these is tried.
TRIES = ((100000, 4, 200, 200), (20000, 2, 50, 1000), (4000, 1, 20, 1000))


class Busy(Exception):
    pass


class Server:
    def __init__(self, threads=2, tick_ms=200):
        self.dir = tempfile.TemporaryDirectory()
        facts = os.path.join(self.dir.name, "facts.blob")
        self.p = subprocess.Popen([SERVER, facts, str(threads), str(tick_ms)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split()[1])

    def facts(self):
        self.p.stdin.write("\n")
        self.p.stdin.flush()
        return json.loads(self.p.stdout.readline())

    def facts_of(self, sent):
        """The first facts that know of so many reports, unless some were shed."""
        deadline = time.monotonic() + 60
        while True:
            f = self.facts()
            shed = sum(s["refused"] for s in f["sources"] if s["name"] in ("qos/shed", "qos/dropped")) if f else 0
            if f and f["meta"][0]["accepted"] + shed >= sent:
                if shed:
                    raise Busy("%d of %d reports shed" % (shed, sent))
                return f
            assert time.monotonic() < deadline, "facts never knew of %d reports: %s" % (
                sent, f and (f["meta"], f["sources"]))
            time.sleep(0.05)

    def stop(self):
        self.p.terminate()
        assert self.p.wait(60) == 0
        self.p.stdin.close()
        self.p.stdout.close()
        self.dir.cleanup()


def script(seed, viewers, now_ms):
    """Each viewer: a pull attempt 20 s ago to now that succeeds or not, maybe a heartbeat behind it."""
    rnd = random.Random(seed)
    reports = []
    for i in range(viewers):
        v = rnd.choices((0, 1, 2), (5, 3, 2))[0]
        g = rnd.choices(GROUPS, (1, 5, 4, 2))[0]
        ok = rnd.random() > (0.3 if (v, g) == (1, 2) else 0.02)
        t = now_ms - rnd.randrange(0, 20000)
        r = {"t_ms": t, "session": "s%d" % i, "user": "u%d" % (i % 90000), "stream": "room-%d" % (i % 50),
             "vendor": VENDORS[v], "node": "n1", "definition": "hd", "client_kind": "web", "ok": ok,
             "ip": "%s.%d.%d" % (NETS[g], rnd.randrange(256), rnd.randrange(1, 255)),
             "bitrate_kbps": rnd.choice((1500, 3000, 6000))}
        if ok:
            r["first_frame_ms"] = rnd.randrange(80, 3000) + rnd.choice((0, 0.5, 0.25))
        reports.append((v, g, r))
        if ok and rnd.random() < 0.5:
            beat = {k: r[k] for k in ("session", "user", "stream", "vendor", "ip")}
            beat["t_ms"] = min(now_ms, t + rnd.randrange(1, 10000))
            beat["bitrate_kbps"] = rnd.choice((1500, 3000, 6000))
            if rnd.random() < (0.4 if (v, g) == (2, 1) else 0.05):
                beat["stalls"] = [{"start_ms": 1000, "ms": rnd.choice((500, 1999, 2000, 9000))}
                                  for _ in range(rnd.randrange(1, 4))]
            reports.append((v, g, beat))
    return reports


def post(port, reports, batch):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for i in range(0, len(reports), batch):
        c.request("POST", "/v1/qos", json.dumps({"reports": [r for _, _, r in reports[i:i + batch]]}))
        answer = c.getresponse()
        body = answer.read()
        if answer.status == 202 or (answer.status == 400 and json.loads(body)["error"]["code"] == "old"):
            raise Busy(body)
        assert answer.status == 200 and json.loads(body) == {"accepted": len(reports[i:i + batch])}, body
    c.close()


def expected(reports, window):
    """What scoring.md section 4 says of the reports within one window, counted independently."""
    start, end = window["start_ms"], window["start_ms"] + window["length_ms"]
    minute = window["length_ms"] == 60000
    cells = collections.defaultdict(lambda: collections.Counter())
    frames = collections.defaultdict(list)
    users, stalled, last = (collections.defaultdict(set), collections.defaultdict(set), {})
    for v, g, r in reports:
        if not start <= r["t_ms"] < end:
            continue
        if "ok" in r:
            cells[v, g]["pulls"] += 1
            cells[v, g]["pulls_ok"] += r["ok"]
            if "first_frame_ms" in r:
                frames[v, g].append(round(r["first_frame_ms"] * 1000))
        users[v, g].add(r["user"])
        if any(s["ms"] >= 2000 for s in r.get("stalls", ())):
            stalled[v, g].add(r["user"])
        if r["session"] not in last or last[r["session"]][2]["t_ms"] <= r["t_ms"]:
            last[r["session"]] = (v, g, r)
    for key, all_of in frames.items():
        s = sorted(all_of)
        cut = len(s) // 10
        kept = s[cut:len(s) - cut]
        cells[key].update(first_frames=len(s), first_frame_us=sum(kept) // len(kept),
                          first_frame_p50_us=s[-(-len(s) * 50 // 100) - 1],
                          first_frame_p95_us=s[-(-len(s) * 95 // 100) - 1])
    if minute:
        for key in users:
            cells[key].update(users=len(users[key]), stalled_users=len(stalled[key]))
        for v, g, r in last.values():
            if r.get("ok", True):
                cells[v, g].update(sessions=1, kbps=r["bitrate_kbps"])
    return cells


NAMES = ("pulls", "pulls_ok", "first_frames", "first_frame_us", "first_frame_p50_us", "first_frame_p95_us",
         "users", "stalled_users", "sessions", "kbps")


def compare(reports, facts):
    seen = collections.defaultdict(dict)
    for c in facts["cells"]:
        seen[c["window"]][c["vendor"], c["group"]] = c
    for i, w in enumerate(facts["windows"][:4]):
        want = expected(reports, w)
        assert set(want) == set(seen[i]), (i, set(want) ^ set(seen[i]))
        for key, cell in want.items():
            got = {n: seen[i][key][n] for n in NAMES}
            assert got == {n: cell[n] for n in NAMES}, "window %d cell %s: got %s want %s" % (i, key, got, dict(cell))
    streams = collections.Counter()
    for v, g, r in {r["session"]: (v, g, r) for v, g, r in sorted(reports, key=lambda x: x[2]["t_ms"])}.values():
        if r.get("ok", True):
            streams[r["stream"], v] += 1
    assert streams == {(s["name"], s["vendor"]): s["sessions"] for s in facts["streams"]}


def play(viewers, senders, batch, tick_ms):
    s = Server(tick_ms=tick_ms)
    try:
        reports = script(7, viewers, int(time.time() * 1000))
        # The order of a session's reports is kept, whoever sends them.
        parts = [[x for x in reports if hash(x[2]["session"]) % senders == i] for i in range(senders)]
        began = time.monotonic()
        failed = []

        sent, one_at_a_time = 0, threading.Lock()

        def send(part):
            nonlocal sent
            try:
                for i in range(0, len(part), PACE):
                    post(s.port, part[i:i + PACE], batch)
                    with one_at_a_time:
                        sent += len(part[i:i + PACE])
                        s.facts_of(sent - senders * PACE)
            except Exception as e:  # told after the threads have ended
                failed.append(e)

        threads = [threading.Thread(target=send, args=(p,)) for p in parts]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for e in failed:
            raise e
        took = time.monotonic() - began
        facts = s.facts_of(len(reports))
        assert facts["meta"][0]["sampled_ppm"] == 1000000 and facts["meta"][0]["refused"] == 0, facts["meta"]
        compare(reports, facts)
        assert facts["sources"] == [x for x in facts["sources"] if x["name"] == "qos"], facts["sources"]
        print("%d viewers, %d reports in %.1f s: all indicators equal" % (viewers, len(reports), took))
    finally:
        s.stop()


def main():
    for i, how in enumerate(TRIES):
        try:
            return play(*how)
        except Busy as e:
            print("too busy for %d viewers, %d senders, %d reports a request, ticks of %d ms: %s" % (*how, e))
            assert i + 1 < len(TRIES), "too busy a machine for an exact count"


main()
