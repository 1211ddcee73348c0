#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From reports to shares: a vendor that fails in one province and ISP, seen only through reports, is
taken out there and nowhere else; when every vendor of the ISP is bad nobody is. With SLUICE_LONG it
is also watched coming back by steps."""
import http.client
import json
import random
import threading
import time

from sluice import LONG, Sluice, run, wait_for

VENDORS = ("alpha", "beta", "gamma")
TELECOM, UNICOM = "202.96.128.", "27.40.0."  # CN/GD/telecom and CN/GD/unicom by geo/nets.csv
PULLS = 30  # per vendor, net and second


class Audience:
    """Posts pull attempts every half second; bad: (net, vendor) pairs that fail four times of five."""

    def __init__(self, s):
        self.s, self.bad, self.stalling, self.stopping = s, set(), set(), False
        self.forged = 0  # failures of alpha in telecom told by one /24, in half a second
        self.spread = 0  # and the part of telecom's reports that lie so, from anywhere
        self.rng, self.failed = random.Random(3), None
        self.thread = threading.Thread(target=self.loop)
        self.thread.start()

    def report(self, net, vendor, i):
        r = {"session": "%s%s%d.%d" % (net, vendor, i, self.rng.getrandbits(40)), "stream": "room-1",
             "vendor": vendor, "ip": self.address(net), "bitrate_kbps": 3000}
        r["ok"] = self.rng.random() > (0.8 if (net, vendor) in self.bad else 0.01)
        if r["ok"]:
            r["first_frame_ms"] = self.rng.randrange(200, 500)
        if (net, vendor) in self.stalling and self.rng.random() < 0.4:
            r["stalls"] = [{"start_ms": 0, "ms": 4000}]
        return r

    def address(self, net):
        """Of fifteen /24s of telecom where lies are told, else of one."""
        if net == TELECOM and (self.forged or self.spread):
            net = "202.96.%d." % self.rng.randrange(128, 143)
        return net + str(self.rng.randrange(1, 255))

    def lies(self):
        def lie(ip):
            return {"session": "%x" % self.rng.getrandbits(60), "stream": "room-1", "vendor": "alpha", "ip": ip, "ok": False}
        spread = sum(self.rng.random() < self.spread for _ in range(PULLS // 2 * len(VENDORS)))
        return [lie("202.96.180.%d" % self.rng.randrange(1, 255)) for _ in range(self.forged)] + [
            lie(self.address(TELECOM)) for _ in range(spread)]

    def loop(self):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.s.reports, timeout=60)
            while not self.stopping:
                reports = [self.report(n, v, i) for n in (TELECOM, UNICOM) for v in VENDORS
                           for i in range(PULLS // 2)] + self.lies()
                self.rng.shuffle(reports)
                c.request("POST", "/v1/qos", json.dumps({"reports": reports}))
                answer = c.getresponse()
                body = answer.read()
                assert answer.status == 200, body
                time.sleep(0.5)  # the audience's own rhythm
        except Exception as e:  # told by the test
            self.failed = e

    def stop(self):
        self.stopping = True
        self.thread.join()
        assert not self.failed, self.failed


def state(s, net):
    told = s.ctl("explain", "--ip", net + "9", "--host", "live.sluice.example")
    return {v["vendor"]: v for v in told["vendors"]}


def blacklisted(s):
    """What breakers hold out, of all vendors and groups."""
    return {(r["vendor"], r["group"]) for r in s.ctl("quality")["quality"] if r["breaker"] != "closed"}


def failure_is_taken_out_of_one_group():
    with Sluice() as s:
        a = Audience(s)
        try:
            wait_for("quality from reports", lambda: all(
                v["quality"] > 0.8 and v["quality"] != 1 for v in state(s, TELECOM).values()))
            assert all(v["blacklist"] == "closed" for v in state(s, TELECOM).values())
            a.bad.add((TELECOM, "alpha"))
            began = time.monotonic()
            wait_for("alpha to be blacklisted", lambda: state(s, TELECOM)["alpha"]["blacklist"] == "open")
            took = time.monotonic() - began
            told = state(s, TELECOM)
            assert told["alpha"]["share_ppm"] == 0 and told["alpha"]["reason"] == "blacklisted", told
            assert told["beta"]["blacklist"] == told["gamma"]["blacklist"] == "closed", told
            why = s.ctl("explain", "--ip", TELECOM + "9", "--host", "live.sluice.example")["quality"]
            why = next(r for r in why if r["vendor"] == "alpha")
            assert why["breaker"] == "open" and why["cause"] == "pull success", why
            assert why["seen"] < why["against"] and why["samples"] >= 10 and why["own_success"] > 0.5, why
            assert why["leans_on"] in ("province", "isp") and why["pulls"] > 0 and why["users"] > 0, why
            assert abs(why["quality"] - why["reported_quality"]) < 1e-3, why  # nobody told the steering door
            assert all(v["blacklist"] == "closed" for v in state(s, UNICOM).values())
            assert blacklisted(s) == {("alpha", "CN/GD/telecom")}, blacklisted(s)
            s.kill("control")  # another goes on with what was open, and with its hold
            wait_for("control to be back", lambda: s.probe(s.admin))
            assert state(s, TELECOM)["alpha"]["blacklist"] == "open"
            assert s.log().count("closed -> open") == 1, s.log()[-2000:]
            assert s.resolve(ip=TELECOM + "9", client="x")["answers"][0]["vendor"] != "alpha"
            assert "change=\"closed -> open: pull success" in s.log(), s.log()[-2000:]
            if LONG:
                a.bad.clear()
                seen = []

                def steps():
                    at = state(s, TELECOM)["alpha"]
                    if at["blacklist"] not in seen:
                        seen.append(at["blacklist"])
                    return at["blacklist"] == "closed"
                wait_for("alpha to come back", steps, 200)
                assert seen == ["open", "half-open", "closed"], seen
            print("  blacklisted %.1f s after the fault" % took)
        finally:
            a.stop()


def stalls_are_taken_out():
    with Sluice() as s:
        a = Audience(s)
        try:
            wait_for("quality from reports", lambda: all(
                v["quality"] != 1 for v in state(s, UNICOM).values()))
            a.stalling.add((UNICOM, "beta"))
            began = time.monotonic()
            wait_for("beta to be blacklisted", lambda: state(s, UNICOM)["beta"]["blacklist"] == "open", 90)
            assert all(v["blacklist"] == "closed" for v in state(s, TELECOM).values())
            print("  blacklisted %.1f s after the first stall" % (time.monotonic() - began))
        finally:
            a.stop()


def an_isp_that_is_down_is_nobodys_fault():
    with Sluice() as s:
        a = Audience(s)
        try:
            wait_for("quality from reports", lambda: all(
                v["quality"] != 1 for v in state(s, TELECOM).values()))
            a.bad.update((TELECOM, v) for v in VENDORS)
            wait_for("quality to fall", lambda: all(
                v["quality"] < 0.1 for v in state(s, TELECOM).values()), 90)
            until = time.monotonic() + 16  # three windows and a tick

            def nobody_is_out():
                assert all(v["blacklist"] == "closed" for v in state(s, TELECOM).values())
                return time.monotonic() > until
            wait_for("the span a breaker looks at", nobody_is_out)
            assert "closed -> open" not in s.log(), s.log()[-2000:]
        finally:
            a.stop()


def forged_reports_do_not_trip():
    """One /24 tells of more failures than all others report at all, and one in a hundred lies from
    anywhere: alpha stays, and its quality is what the others say."""
    with Sluice() as s:
        a = Audience(s)
        a.spread = 0.01
        try:
            def telecom():
                return {r["vendor"]: r for r in s.ctl("quality", "--groups", "CN/GD/telecom")["quality"]}
            wait_for("the facts", lambda: s.ctl("quality", ok=False)[0] == 0)
            wait_for("what many nets say in a window", lambda: telecom().get("alpha", {"pulls": 0})["pulls"] > 200)
            before = state(s, TELECOM)["alpha"]["share_ppm"]
            a.forged = 150
            until = time.monotonic() + 17  # three windows and a tick

            def alpha_stays():
                now = state(s, TELECOM)["alpha"]
                assert now["blacklist"] == "closed", now
                return time.monotonic() > until
            wait_for("the span a breaker looks at", alpha_stays)
            told = telecom()
            assert told["alpha"]["success"] > 0.85, told["alpha"]
            wait_for("most of the lies to be passed over", lambda: any(
                r["refused"] > 1000 for r in s.ctl("quality")["sources"] if r["source"] == "all/capped"))
            after = state(s, TELECOM)["alpha"]["share_ppm"]
            print("  success %.3f, share %.3f to %.3f" % (told["alpha"]["success"], before / 1e6, after / 1e6))
        finally:
            a.stop()


run([forged_reports_do_not_trip, failure_is_taken_out_of_one_group, stalls_are_taken_out, an_isp_that_is_down_is_nobodys_fault])
