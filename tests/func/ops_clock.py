#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The clock is set back by eight hours under a running daemon, and forward again: figures are taken,
operators are obeyed, alerts begin and end and minutes are kept as if nothing had been, and what was
announced for an hour is not over."""
import http.client
import http.server
import json
import threading
import time

import sluice
from sluice import Clock, Sluice, wait_for

HOURS_S = 8 * 3600
CATALOG = """vendors:
  - name: alpha
    guaranteed_mbps: 1000
    max_mbps: 20000
    meters: [{name: m, url: "%s", series: /rows, time: /t, value: /v, step_s: 2, window_s: 2, every_s: 1, delay_s: 1}]
  - {name: beta, guaranteed_mbps: 1000, max_mbps: 20000}
services:
  - name: live
    hosts: [live.sluice.example]
    vendors: [{vendor: alpha, cname: live.alpha.example.}, {vendor: beta, cname: live.beta.example.}]
zones: [{name: sluice.example, file: sluice.example.zone}]
"""


class Vendor(http.server.ThreadingHTTPServer):
    """A vendor's figures of the last minute, by the same clock."""
    daemon_threads = True

    def __init__(self, clock):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                now = int(time.time() + clock.off) // 2 * 2
                body = json.dumps({"rows": [{"t": t, "v": 70} for t in range(now - 60, now + 1, 2)]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *why):
        self.shutdown()
        super().__exit__(*why)


LATER = {"mode": "automatic", "announce_s": 3600,
         "when": {"metric": "sluice_vendor_current_mbps", "labels": 'vendor="alpha"', "above": 1},
         "do": [{"command": "vendor weight", "args": {"vendor": "beta", "weight": 0.9}}]}


def later(d):
    return {p["plan"]: p for p in d.ctl("plan", "list")["plans"]}["later"]


def nothing_is_over(d):
    """An announced plan, and a figure of a moment ago, when the clock has just been set."""
    first = d.ctl("status")["ticks"]
    wait_for("two ticks", lambda: d.ctl("status")["ticks"] >= first + 2)
    assert later(d)["state"] == "announced" and 0 <= later(d)["for_s"] < 600, later(d)
    beta = [m for m in d.ctl("meter", "show")["meters"] if m["vendor"] == "beta"][0]
    assert beta["mbps"] == 1000 and beta["age_s"] < 600, beta


def a_minute_is_kept(d, clock):
    """What players say near the end of one."""
    clock.turn((56 - int(time.time() + clock.off)) % 60)
    minute = int(time.time() + clock.off) // 60 * 60
    c = http.client.HTTPConnection("127.0.0.1", d.reports, timeout=60)
    c.request("POST", "/v1/qos", json.dumps({"reports": [{
        "session": "m%d" % minute, "stream": "s", "vendor": "alpha", "ip": "202.96.128.1", "ok": True}]}))
    assert c.getresponse().status == 200
    c.close()
    wait_for("its minute", lambda: [r for r in d.ctl("quality", "--history", "10m")["history"] if r["time"] == minute])


def all_is_well(d, room):
    """What an operator would see who came now."""
    def taken():
        return d.ctl("meter", "sources")["sources"][0]["taken"]
    before = taken()
    wait_for("two more windows of alpha", lambda: taken() >= before + 2)
    wait_for("a figure of beta is taken", lambda: d.ctl("meter", "push", "beta", "1000", ok=False)[0] == 0)
    wait_for("both are of now", lambda: all(0 < m.get("age_s", -1) < 600 for m in d.ctl("meter", "show")["meters"]))
    d.ctl("stream", "add", room, "--service", "live", "--vendors", "beta", "--why", "test")
    wait_for("a room of beta's", lambda: {
        a["vendor"] for i in range(8) for a in d.resolve(stream=room, client="c%d" % i)["answers"]} == {"beta"})
    good = d.read("catalog.yaml")
    d.write("catalog.yaml", good.replace("guaranteed_mbps", "guarantied_mbps"))
    assert d.ctl("reload", ok=False)[0] == 1

    def alerts():
        return {a["alert"]: a for a in d.ctl("alert", "list")["alerts"]}
    wait_for("the alert", lambda: "config-refused" in alerts())
    for a in alerts().values():
        assert 0 <= a["for_s"] < 3600, a
    d.write("catalog.yaml", good)
    d.ctl("reload")
    wait_for("its end", lambda: "config-refused" not in alerts())
    status = d.ctl("status")
    assert status["up_s"] < 3600 and status["tick_age_s"] < 600, status


def weights(d):
    told = d.ctl("explain", "--ip", "202.96.128.86", "--host", "live.sluice.example")
    return {v["vendor"]: v["weight"] for v in told["vendors"]}


def what_was_decided_holds():
    """Over a start too, for which nothing is left but what is kept; and a ramp does not wait for hours."""
    with Clock() as clock, Sluice() as d:
        d.ctl("vendor", "weight", "alpha", "2", "--confirm", "alpha")
        d.ctl("vendor", "weight", "gamma", "3", "--confirm", "gamma")
        d.ctl("vendor", "weight", "gamma", "off", "--for", "1h", "--confirm", "gamma")  # it sleeps
        d.write("new.yaml", d.read("catalog.yaml").replace("  - name: beta\n", "  - name: beta\n    weight: 5\n"))
        d.ctl("config", "apply", d.dir + "/new.yaml", "--ramp", "1h", "--confirm", "config")
        wait_for("the weight", lambda: weights(d)["alpha"] == 2 and weights(d)["gamma"] == 1 and weights(d)["beta"] < 2)
        clock.turn(-HOURS_S)
        wait_for("the end of the ramp", lambda: weights(d) == {"alpha": 2, "beta": 5, "gamma": 1})
        assert [r["rule"] for r in d.ctl("rules")["rules"]] == ["weight", "weight"]
        d.stop()
        d.start()
        wait_for("the same", lambda: weights(d) == {"alpha": 2, "beta": 5, "gamma": 1})


def set_back_and_forward():
    with Clock() as clock, Vendor(clock) as vendor:
        text = CATALOG % ("http://127.0.0.1:%d/" % vendor.server_address[1])
        with Sluice(prepare={"catalog.yaml": text.encode()}) as d:
            all_is_well(d, "one")
            d.write("later.json", json.dumps(LATER))
            d.ctl("plan", "add", "later", d.dir + "/later.json")
            wait_for("the plan is announced", lambda: later(d)["state"] == "announced")
            a_minute_is_kept(d, clock)
            clock.turn(-HOURS_S)
            nothing_is_over(d)
            all_is_well(d, "two")
            a_minute_is_kept(d, clock)
            clock.turn(HOURS_S)
            nothing_is_over(d)
            all_is_well(d, "three")
            a_minute_is_kept(d, clock)
            d.stop()
            clock.turn(-HOURS_S)
            d.start()
            all_is_well(d, "four")


sluice.run([what_was_decided_holds, set_back_and_forward])
