#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reports of pushers and what /v1/publish makes of them: an ingest that is bad in one carrier of one province is
passed over there and only there, and comes back."""
import http.client
import json
import threading

from sluice import Sluice, run, wait_for

CATALOG = """
vendors: [{name: alpha, max_mbps: 1000, addresses: [{a: [192.0.2.11]}]}]
services:
  - name: live
    hosts: [live.sluice.example]
    vendors: [{vendor: alpha}]
    ingest:
      - {name: north, unit: bj, url: "rtmp://north.example/live/{stream}"}
      - {name: south, unit: gz, url: "rtmp://south.example/live/{stream}"}
      - {name: shared, unit: sh, url: "rtmp://a.example/live/{stream}"}
  - name: drill
    hosts: [drill.sluice.example]
    vendors: [{vendor: alpha}]
    ingest: [{name: shared, unit: sh, url: "rtmp://b.example/live/{stream}"}]
streams: [{name: final, service: live, vendors: [alpha], ingest: north}]
zones: [{name: sluice.example, file: sluice.example.zone}]
"""
HERE, CITY, CARRIER = "202.96.128.", "27.40.0.", "58.128.1."  # GD/telecom; GD/unicom; telecom in another province
STREAMS = ["s%d" % i for i in range(60)] + ["final"]


def daemon():
    s = Sluice()
    s.write("catalog.yaml", CATALOG)
    return s


def post(s, reports):
    c = http.client.HTTPConnection("127.0.0.1", s.reports, timeout=60)
    c.request("POST", "/v1/qos", json.dumps({"reports": reports}))
    answer = c.getresponse()
    status, body = answer.status, json.loads(answer.read())
    c.close()
    return status, body


class Pushers:
    """Eight pushers to each of north and south in three groups, who report again and again."""
    FIGURES = {"good": {"frame_rate": 30, "bitrate_kbps": 4000, "rtt_ms": 30},
               "bad": {"frame_rate": 8, "bitrate_kbps": 900, "rtt_ms": 700}}

    def __init__(self, s):
        self.s = s
        self.how = {}  # (net, ingest) to a word of FIGURES, or None: no more pushers there
        self.stopped = threading.Event()
        self.error = None
        self.thread = threading.Thread(target=self.loop)

    def reports(self):
        for net in (HERE, CITY, CARRIER):
            for ingest in ("north", "south"):
                how = self.how.get((net, ingest), "good")
                for i in range(8 if how else 0):
                    yield {"kind": "push", "session": "%s%s%d" % (net, ingest, i), "stream": "s%d" % i, "node": ingest,
                           "ip": "%s%d" % (net, i + 1), **self.FIGURES[how]}

    def loop(self):
        while not self.stopped.wait(0.5):
            try:
                status, body = post(self.s, list(self.reports()))
                assert status == 200, body
            except (AssertionError, OSError) as e:
                self.error = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *why):
        self.stopped.set()
        self.thread.join()
        assert why[0] or not self.error, self.error


def firsts(s, net):
    """What each stream's pusher at this net is told: (first, how it was chosen)."""
    told = {}
    for stream in STREAMS:
        status, body = s.get("/v1/publish?host=live.sluice.example&stream=%s&ip=%s9" % (stream, net))
        assert status == 200 and body["primary"]["unit"] != body["backup"]["unit"], body
        told[stream] = body["primary"]["name"], body["chosen"]
    return told


def groups_are_what_the_test_thinks(s):
    groups = [s.resolve(ip=net + "9")["group"] for net in (HERE, CITY, CARRIER)]
    assert groups[0] == "CN/GD/telecom" and groups[1] == "CN/GD/unicom", groups
    assert groups[2].endswith("/telecom") and groups[2] != groups[0], groups


def a_bad_ingest_is_passed_over_there_and_only_there():
    with daemon() as s:
        groups_are_what_the_test_thinks(s)
        calm = firsts(s, HERE)
        assert {first for first, _ in calm.values()} == {"north", "south", "shared"}, calm
        assert calm["final"] == ("north", "by name"), calm
        with Pushers(s) as p:
            wait_for("facts of the pushers", lambda: len(s.ctl("ingest", "show", "--service", "live")["ingests"]) == 6)
            assert all(firsts(s, net) == calm for net in (HERE, CITY, CARRIER))
            p.how[HERE, "north"] = "bad"

            def passed_over():
                told = firsts(s, HERE)
                return told if all(first != "north" for first, _ in told.values()) else None
            told = wait_for("north to be passed over", passed_over)
            assert told["final"][1] == "by reports", told
            for stream in STREAMS:  # who was elsewhere stays there
                assert calm[stream][0] == "north" or told[stream] == calm[stream], (stream, calm[stream], told[stream])
            assert firsts(s, CITY) == calm and firsts(s, CARRIER) == calm
            row = [r for r in s.ctl("ingest", "show", "north")["ingests"] if r["group"] == "CN/GD/telecom"][0]
            assert (row["frame_rate"], row["mbps"], row["rtt_ms"], row["pushers"]) == (8, 0.9, 700, 8), row
            assert row["weight"] < 0.01, row
            by_isp = {(r["ingest"], r["isp"]): r for r in s.ctl("ingest", "show", "--by", "isp")["ingests"]}
            assert by_isp["north", "CN/telecom"]["pushers"] == 16 and by_isp["north", "CN/unicom"]["frame_rate"] == 30
            # the operator's way out: no quality, no ranking
            s.ctl("switch", "set", "quality", "off", "--why", "test", "--confirm", "quality")
            wait_for("the plain order", lambda: firsts(s, HERE) == calm)
            s.ctl("switch", "set", "quality", "on", "--why", "test", "--confirm", "quality")
            wait_for("north to be passed over again", passed_over)
            p.how[HERE, "north"] = "good"
            wait_for("north to be back", lambda: firsts(s, HERE) == calm)


def an_ingest_that_cannot_be_reached_is_passed_over():
    """Push attempts that fail say so too; once nobody is there any more, it is tried again by and by."""
    with daemon() as s, Pushers(s) as p:
        calm = firsts(s, HERE)
        p.how[HERE, "north"] = None
        reports = [{"kind": "push", "session": "x%d" % i, "stream": "x", "node": "north", "host": "live.sluice.example",
                    "ip": HERE + str(100 + i), "ok": False} for i in range(10)]
        assert post(s, reports)[0] == 200
        wait_for("north to be passed over", lambda: all(f != "north" for f, _ in firsts(s, HERE).values()))
        assert firsts(s, CITY) == calm
        # a few voices of one address are one voice
        lies = [{"kind": "push", "session": "l%d" % i, "stream": "x", "node": "south", "ip": CITY + "77", "ok": False,
                 "frame_rate": 0} for i in range(500)]
        assert post(s, lies)[0] == 200
        wait_for("the lies to be counted", lambda: any(
            r["ingest"] == "south" and r["group"] == "CN/GD/unicom" and r["pushers"] > 100 for r in s.ctl("ingest", "show")["ingests"]))
        s.tick()
        s.tick()
        assert firsts(s, CITY) == calm


def what_is_refused():
    push = {"kind": "push", "session": "a", "stream": "x"}
    with daemon() as s:
        for more, code, field in (({"node": "nowhere"}, "ingest", "node"), ({}, "missing", "vendor"),
                                  ({"node": "shared"}, "missing", "host"), ({"node": "north", "rtt_ms": -1}, "range", "rtt_ms"),
                                  ({"node": "north", "frame_rate": "30"}, "type", "frame_rate"),
                                  ({"node": "north", "host": "drill.sluice.example"}, "ingest", "node")):
            status, body = post(s, [{**push, **more}, {**push, "node": "north"}])
            assert status == 400 and body["accepted"] == 1, body
            assert [(i["index"], i["code"], i["field"]) for i in body["items"]] == [(0, code, field)], (more, body)
        for more in ({"node": "shared", "host": "DRILL.sluice.example."}, {"vendor": "alpha"}):
            assert post(s, [{**push, **more}])[0] == 200, more
        shown = wait_for("shared of drill alone", lambda: s.ctl("ingest", "show", "shared")["ingests"])
        assert [(r["service"], r["pushers"]) for r in shown] == [("drill", 1)], shown
        sources = {r["source"]: r for r in s.ctl("quality")["sources"]}
        assert sources["push"]["accepted"] >= 8, sources


run([a_bad_ingest_is_passed_over_there_and_only_there, an_ingest_that_cannot_be_reached_is_passed_over, what_is_refused])
