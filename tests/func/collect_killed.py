#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The collect process killed again and again under load (5 times; 100 with SLUICE_LONG): no answer
changes, and of the reports that were acknowledged no more than one window is lost."""
import collections
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time

from sluice import BUILD, LONG, Sluice, run, wait_for

VENDORS = ("alpha", "beta", "gamma")
KILLS = 100 if LONG else 5
BATCH = 60
WINDOW_S = 5


class Load:
    """Posts pull attempts from all over a province, and knows which were acknowledged when."""

    def __init__(self, s):
        self.s, self.stopping, self.failed = s, False, None
        self.acked = collections.deque()
        self.rng = random.Random(5)
        self.thread = threading.Thread(target=self.loop)
        self.thread.start()

    def batch(self):
        return [{"session": "%x" % self.rng.getrandbits(60), "stream": "room-%d" % self.rng.randrange(9),
                 "vendor": VENDORS[i % 3], "ip": "202.96.%d.%d" % (self.rng.randrange(128, 144), self.rng.randrange(1, 255)),
                 "ok": self.rng.random() > 0.02, "bitrate_kbps": 3000} for i in range(BATCH)]

    def loop(self):
        c = None
        try:
            while not self.stopping:
                try:
                    c = c or http.client.HTTPConnection("127.0.0.1", self.s.reports, timeout=60)
                    c.request("POST", "/v1/qos", json.dumps({"reports": self.batch()}))
                    answer = c.getresponse()
                    body = answer.read()
                except (OSError, http.client.HTTPException):  # it is being restarted
                    c = None
                    time.sleep(0.02)
                    continue
                if answer.status == 503:  # it has no world yet
                    time.sleep(0.02)
                    continue
                assert answer.status == 200, body
                self.acked.append(time.time())
                time.sleep(0.05)
        except Exception as e:  # told by the test
            self.failed = e

    def between(self, start, end):
        return BATCH * sum(start <= t < end for t in list(self.acked))

    def stop(self):
        self.stopping = True
        self.thread.join()
        assert not self.failed, self.failed


def facts(s):
    dump = subprocess.run([os.path.join(BUILD, "sluicectl"), "world", "dump", os.path.join(s.state, "facts.blob")],
                          capture_output=True, text=True, check=True)
    return json.loads(dump.stdout)


def answers(s):
    return [s.resolve(ip="202.96.%d.9" % i)["answers"][0]["vendor"] for i in range(128, 144)]


def minute(f):
    cells = [c for c in f["cells"] if c["window"] == 0]
    return sum(c["pulls"] for c in cells), sum(c["sessions"] for c in cells)


def killed_under_load():
    with Sluice() as s:
        load = Load(s)
        try:
            wait_for("a window of reports", lambda: load.between(0, time.time()) > 50 * BATCH)
            before = answers(s)
            worst, started = 0, facts(s)["meta"][0]["started_ms"]
            for i in range(KILLS):
                time.sleep(random.uniform(0, 1))  # at any moment
                s.kill("collect")
                at = time.time()
                assert answers(s) == before
                fresh = wait_for("facts after kill %d" % i, lambda: (lambda f: f["time_ms"] > at * 1000 + 100 and f)(
                    facts(s)))
                now = fresh["time_ms"] / 1000
                pulls, sessions = minute(fresh)
                # acknowledged within the last half second: maybe not booked yet
                missing = load.between(now - 59.5, now - 0.5) - pulls
                worst = max(worst, missing)
                assert missing <= load.between(at - WINDOW_S, at), (i, missing, pulls)
                assert sessions >= 0.9 * (load.between(now - 44, now - 0.5) - load.between(at - WINDOW_S, at)), (i, sessions)
                assert fresh["meta"][0]["started_ms"] == started, "began anew"
                assert answers(s) == before
            assert "windows=kept" in s.log()
            print("  %d kills: at most %d reports missing of %d in a window" % (
                KILLS, max(worst, 0), load.between(at - WINDOW_S, at)))
        finally:
            load.stop()


def what_crashes_it_twice_is_given_up():
    with Sluice() as s:
        for i in range(2):
            pid = wait_for("collect %d" % i, lambda: s.pids().get("collect"))
            os.kill(pid, signal.SIGABRT)
            wait_for("its end to be seen", lambda: s.log().count("supervise.fell role=collect") > i)
        wait_for("the memory to be set aside", lambda: "supervise.set_aside role=collect file=memory" in s.log())
        wait_for("collect to be back, with new windows", lambda: s.probe(s.reports) and
                 s.log().rindex("windows=new") > s.log().index("supervise.set_aside role=collect"))


run([killed_under_load, what_crashes_it_twice_is_given_up])
