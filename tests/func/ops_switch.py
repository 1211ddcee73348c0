#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `switch set --dry-run` says of each automatic feature, off and on again, against what happens
when it is done; and what moves nobody, or cannot be told."""
import http.client
import http.server
import json
import os
import random
import re
import threading
import time

from sluice import TOP, Sluice, run, wait_for

TELECOM = "202.96.128."  # CN/GD/telecom by geo/nets.csv
HOST = "live.sluice.example"

with open(os.path.join(TOP, "conf/examples/demo/catalog.yaml"), encoding="utf-8") as f:
    demo = f.read()
small = re.sub(r"(mbps: \d+)000\b", r"\1", demo)  # thousandths, so that a test's own sessions tell
NODES = """vendors:
  - {name: own, guaranteed_mbps: 1000, max_mbps: 2000}
  - {name: alpha, guaranteed_mbps: 1000, max_mbps: 20000, addresses: [{a: [127.0.1.1]}]}
nodes:
  - {name: n1, vendor: own, group: CN/GD/telecom, capacity_mbps: 1000, a: [127.0.0.11]}
  - {name: n2, vendor: own, group: CN/GD/telecom, capacity_mbps: 1000, a: [127.0.0.12]}
services:
  - {name: live, hosts: [live.sluice.example], vendors: [{vendor: own}, {vendor: alpha}]}
zones: [{name: sluice.example, file: sluice.example.zone}]
"""


def dry(d, name, state):
    """Impact of a dry run by region: moves, and what each vendor has then; and the whole answer."""
    told = d.ctl("switch", "set", name, state, "--dry-run", "--why", "a trial")
    assert told["dry_run"] and "change" not in told, told
    rows = {r["region"]: r for r in told.get("impact", [])}
    then = {region: {k[:-8]: float(v.split()[-1]) for k, v in r.items() if isinstance(v, str) and k.endswith("_percent")}
            for region, r in rows.items()}
    return told, rows, then


def shares(d):
    told = d.ctl("explain", "--ip", TELECOM + "9", "--host", HOST)
    return {v["vendor"]: v["share_ppm"] / 1e4 for v in told["vendors"]}


def alpha_terms(d):
    told = d.ctl("explain", "--ip", TELECOM + "9", "--host", HOST)
    return next(t for t in told["terms"] if t["vendor"] == "alpha" and t["region"] == "total")


def near(got, want, most):
    return all(abs(got[v] - want.get(v, 0)) <= most for v in got)


def do(d, name, state, most=3):
    """Does what a dry run told first, and waits for what it said of Guangdong."""
    told, rows, then = dry(d, name, state)
    before = shares(d)
    d.ctl("switch", "set", name, state, "--why", "a test", "--confirm", name)
    want = then["CN/GD"]
    try:
        wait_for("what was foretold", lambda: near(shares(d), want, most))
    except AssertionError as why:
        raise AssertionError("%s of %s %s: %s, there is %s, there was %s" % (
            why, name, state, want, shares(d), before)) from why
    return rows["CN/GD"]["moves_percent"], want, told


def ask(d, n, **params):
    for i in range(n):
        d.resolve(ip=TELECOM + str(1 + i % 250), client="%s-%d" % (random.getrandbits(40), i), **params)


class Feed:
    """Posts the same reports of Guangdong telecom twice a second, under new names, and asks besides."""

    def __init__(self, d, reports):
        self.d, self.reports, self.stopping, self.failed = d, reports, False, None
        self.thread = threading.Thread(target=self.loop)

    def loop(self):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.d.reports, timeout=60)
            rng = random.Random(1)
            while not self.stopping:
                reports = [dict(r, session=r.get("session", "%x" % rng.getrandbits(60)),
                                ip=TELECOM + str(rng.randrange(1, 255))) for r in self.reports]
                c.request("POST", "/v1/qos", json.dumps({"reports": reports}))
                answer = c.getresponse()
                assert answer.status == 200, answer.read()
                answer.read()
                time.sleep(0.5)  # the audience's own rhythm
        except Exception as e:  # told by the test
            self.failed = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *why):
        self.stopping = True
        self.thread.join()
        assert not self.failed, self.failed


class Server(http.server.ThreadingHTTPServer):
    """A vendor's meter at /meter, and the health of own nodes by their address."""
    daemon_threads = True

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                address = self.connection.getsockname()[0]
                body = json.dumps({"v": self.server.mbps}).encode()
                self.send_response(500 if address in self.server.down else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        self.mbps, self.down = 1000, set()
        super().__init__(("0.0.0.0", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *why):
        self.shutdown()
        self.server_close()


def pulls(vendor, good, bad):
    return [{"stream": "room", "vendor": vendor, "ok": i < good, "bitrate_kbps": 3000,
             **({"first_frame_ms": 300} if i < good else {})} for i in range(good + bad)]


def what_moves_nobody_says_so():
    with Sluice(extra="tick_ms: 200") as d:
        last = d.ctl("history", "--limit", "1")["changes"]
        for name in ("plans", "alerts", "geo", "harvest", "meters"):
            told = d.ctl("switch", "set", name, "off", "--dry-run")
            assert "moves nobody" in told["says"] and "cannot_tell" not in told, told
        told = d.ctl("switch", "set", "quality", "on", "--dry-run")
        assert told["says"] == "moves nobody: it is on already", told
        assert d.ctl("history", "--limit", "1")["changes"] == last
        told = d.ctl("switch", "set", "plans", "off", "--id", "once")
        assert told["change"] == d.ctl("switch", "set", "plans", "off", "--id", "once")["change"]
        d.ctl("switch", "set", "plans", "on")
        code, error = d.ctl("switch", "set", "plans", "off", "--generation", told["generation"], ok=False)
        assert code == 1 and "was changed by" in error, error
        # a new geo file is read once the feature is on: nobody knows yet who will be where
        d.ctl("switch", "set", "geo", "off")
        with open(os.path.join(TOP, "geo", "nets.csv"), encoding="utf-8") as f:
            nets = f.read()
        d.write("nets.csv", nets)
        d.write("sluice.yaml", re.sub(r'overrides: "[^"]*"', 'overrides: "nets.csv"', d.read("sluice.yaml")))
        d.ctl("reload", "--confirm", "reload")
        assert "cannot_tell" not in d.ctl("switch", "set", "geo", "on", "--dry-run")
        d.write("nets.csv", nets + "202.96.128.0/24,CN,BJ,telecom,test\n")
        told = d.ctl("switch", "set", "geo", "on", "--dry-run")
        assert "geo file has changed" in told["cannot_tell"], told
        code, error = d.ctl("switch", "set", "geo", "on", ok=False)
        assert code == 1 and "cannot tell" in error and "--confirm geo" in error, error
        d.ctl("switch", "set", "geo", "on", "--confirm", "geo")
        wait_for("it to be read", lambda: d.explain_txt(TELECOM + "9")["group"] == "CN/BJ/telecom")


def a_token_of_one_service_turns_no_switch():
    with Sluice() as d:
        token = d.ctl("token", "add", "amy", "--role", "operator", "--service", "live")["token"]
        c = http.client.HTTPConnection("127.0.0.1", d.admin, timeout=60)
        c.request("POST", "/v1/switch", json.dumps({"name": "plans", "state": "off"}),
                  {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
        answer = c.getresponse()
        assert answer.status == 403, (answer.status, answer.read())


def quality_and_blacklist():
    reports = pulls("alpha", 12, 8) + pulls("beta", 20, 0) + pulls("gamma", 20, 0)
    with Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": small.encode()}) as d:
        for vendor, mbps in (("alpha", 8500), ("beta", 6500), ("gamma", 3500)):  # above the guarantee quality counts
            d.ctl("meter", "push", vendor, str(mbps))
        ask(d, 20)
        told, rows, _ = dry(d, "blacklist", "off")
        assert told["says"] == "0 breakers end" and rows["all"]["moves_percent"] == 0, told
        d.ctl("switch", "set", "blacklist", "off")

        def settled():
            rows = d.ctl("explain", "--ip", TELECOM + "9", "--host", HOST)["quality"]
            return all(r["own_success"] > 0.95 for r in rows)
        with Feed(d, reports):
            wait_for("settled reports", settled)
            moves, want, _ = do(d, "quality", "off")
            assert moves > 20 and want["alpha"] > 20, (moves, want)
            d.ctl("vendor", "weight", "alpha", "3", "--confirm", "alpha")
            wait_for("the weight", lambda: shares(d)["alpha"] > 40)
            code, error = d.ctl("switch", "set", "blacklist", "on", ok=False)
            assert code == 1 and "% of the sessions in CN/GD: confirm with --confirm blacklist" in error, error
            moves, want, told = do(d, "blacklist", "on")
            assert moves > 40 and want["alpha"] == 0 and ", 1 open within" in told["says"], (moves, want, told)
            moves, want, told = do(d, "blacklist", "off")
            assert moves > 40 and want["alpha"] > 40 and told["says"] == "1 breakers end", (moves, want, told)
            moves, want, _ = do(d, "quality", "on")
            assert moves > 20 and want["alpha"] < 10, (moves, want)


def forecast():
    with Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": small.encode()}) as d:
        for vendor, mbps in (("alpha", 5500), ("beta", 1000), ("gamma", 500)):
            d.ctl("meter", "push", vendor, str(mbps))
        for vendor in ("beta", "gamma"):
            d.ctl("vendor", "drain", vendor, "--confirm", vendor)
        wait_for("the others to be out", lambda: shares(d)["alpha"] > 99)
        # what the ledger has in its first second it takes for what was there before
        wait_for("a ledger that has begun", lambda: alpha_terms(d)["meter_age_s"] > 3)

        def past_its_guarantee():
            ask(d, 50)
            return d.ctl("vendor", "show", "alpha")["vendors"][0]["forecast_mbps"] > 8800
        wait_for("what was dispatched", past_its_guarantee)
        for vendor in ("beta", "gamma"):
            d.ctl("vendor", "resume", vendor, "--confirm", vendor)
        wait_for("alpha to be full by forecast", lambda: shares(d)["alpha"] < 2)
        moves, want, _ = do(d, "forecast", "off")
        assert moves > 20 and want["alpha"] > 20, (moves, want)
        moves, want, _ = do(d, "forecast", "on")
        assert moves > 20 and want["alpha"] < 2, (moves, want)


def meters():
    with Server() as server:
        meter = "    meters: [{name: m, url: \"http://127.0.0.1:%d/meter\", value: /v, window_s: 10, every_s: 1}]\n"
        text = small.replace("    max_mbps: 16000\n", "    max_mbps: 16000\n" + meter % server.server_address[1], 1)
        assert text != small
        with Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": text.encode()}) as d:
            ask(d, 20)
            of_beta = lambda: d.ctl("meter", "show", "beta")["meters"][0].get("mbps")
            wait_for("a meter", lambda: of_beta() == 1000)
            d.ctl("switch", "set", "meters", "off", "--confirm", "meters")
            server.mbps = 15500
            wait_for("another figure", lambda: d.ctl("meter", "sources")["sources"][0]["mbps"] == 15500)
            assert of_beta() == 1000
            moves, want, told = do(d, "meters", "on")
            assert moves > 20 and want["beta"] < 1 and told["says"] == "with what pulled meters last said", (moves, told)
            assert "15 minutes" in dry(d, "meters", "off")[0]["says"]  # tests/unit/test_loop_tick.c has the figures


def first_node(d, client, stream):
    answers = d.resolve(ip=TELECOM + "9", client=client, stream=stream, n=2)["answers"]
    return next((a["ips"][0] for a in answers if a["vendor"] == "own"), None)


def probes():
    with Server() as server:
        text = NODES + "probes:\n  - {name: p, vendor: own, port: %d, path: /, every_s: 1, rise: 1, fall: 1}\n" % \
            server.server_address[1]
        with Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": text.encode()}) as d:
            ask(d, 20)
            wait_for("both to be seen", lambda: [t["state"] for t in d.ctl("probe", "show")["targets"]] == ["up", "up"])
            had = shares(d)["own"]
            server.down = {"127.0.0.12"}
            wait_for("n2 to be down", lambda: [t["state"] for t in d.ctl("probe", "show")["targets"]] == ["down", "up"])
            wait_for("the tick to know", lambda: dry(d, "probes", "off")[1]["CN/GD"]["moves_percent"] > 0)
            told, rows, _ = dry(d, "probes", "off")  # half of its share goes to the one that comes back
            assert told["says"] == "1 own nodes that are down are answered again", told
            assert abs(rows["CN/GD"]["moves_percent"] - had / 2) < 3, (rows, had)
            server.down = {"127.0.0.11", "127.0.0.12"}
            wait_for("nothing of own", lambda: shares(d)["own"] == 0)
            moves, want, told = do(d, "probes", "off")
            assert abs(moves - had) < 3 and abs(want["own"] - had) < 3, (moves, want, had)
            wait_for("they are answered", lambda: {first_node(d, "c%d" % i, "s%d" % i) for i in range(30)} >=
                     {"127.0.0.11", "127.0.0.12"})
            moves, want, told = do(d, "probes", "on")
            assert moves > 30 and want["own"] == 0 and told["says"] == "2 own nodes that are down are not answered", told


def hot_streams():
    """One stream of 300 Mbps, more than its part of a node, and one of little."""
    reports = [{"session": "%s-%d" % (stream, i), "stream": stream, "vendor": "own", "ok": True,
                "first_frame_ms": 300, "bitrate_kbps": kbps} for stream, kbps in (("big", 3000), ("little", 10))
               for i in range(100)]

    def firsts(stream):
        return {first_node(d, "c%d" % i, stream) for i in range(40)} - {None}
    # light sessions: looking at who is sent where must not fill the vendors
    light = NODES.replace("hosts: [live.sluice.example],", "hosts: [live.sluice.example], bitrate_kbps: 100,")
    with Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": light.encode()}) as d, Feed(d, reports):
        wait_for("the stream on both", lambda: len(firsts("big")) == 2)
        assert len(firsts("little")) == 1
        told, rows, _ = wait_for("all sessions", lambda: (lambda x: x if x[1]["all"]["sessions"] == 200 else None)(
            dry(d, "hot", "off")))
        assert "1 streams are hot" in told["says"] and rows["CN/GD"]["moves_percent"] == 25, (told, rows)
        d.ctl("switch", "set", "hot", "off")
        wait_for("the stream on one", lambda: len(firsts("big")) == 1)
        _, rows, _ = dry(d, "hot", "on")
        assert rows["CN/GD"]["moves_percent"] == 25, rows


run([what_moves_nobody_says_so, a_token_of_one_service_turns_no_switch, quality_and_blacklist, forecast, meters, probes,
     hot_streams])
