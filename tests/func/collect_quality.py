#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sluicectl quality and hot against what was posted. With SLUICE_LONG also the rollups of a minute,
and that they are there after a restart of control."""
import http.client
import json
import time

from sluice import LONG, Sluice, run, wait_for

TELECOM, UNICOM = "202.96.128.", "27.40.0."


def post(s, reports):
    c = http.client.HTTPConnection("127.0.0.1", s.reports, timeout=60)
    c.request("POST", "/v1/qos", json.dumps({"reports": reports}))
    answer = c.getresponse()
    assert answer.status == 200, answer.read()
    c.close()


def audience(tag=""):
    """On alpha, telecom: 40 attempts of which 30 are good, 8 of 30 stalled; beta, unicom: 5 good ones."""
    reports = []
    for i in range(40):
        r = {"session": "a%d%s" % (i, tag), "stream": "room-%d" % (i % 3), "vendor": "alpha", "ip": TELECOM + str(i + 1),
             "ok": i < 30, "definition": "hd" if i % 2 else "4k", "client_kind": "web" if i < 20 else "toaster"}
        if i < 30:
            r.update(first_frame_ms=100 + 10 * i, bitrate_kbps=2000)
        if i < 8:
            r["stalls"] = [{"start_ms": 0, "ms": 2500}]
        reports.append(r)
    return reports + [{"session": "b%d%s" % (i, tag), "stream": "room-9", "vendor": "beta", "ip": UNICOM + "7", "ok": True,
                       "first_frame_ms": 300, "bitrate_kbps": 4000} for i in range(5)]


def quality(s, *words, ok=True):
    return s.ctl("quality", *words, ok=ok)


def live():
    with Sluice() as s:
        post(s, audience())
        wait_for("facts", lambda: "no facts" not in quality(s, ok=False)[1])
        told = wait_for("the reports to be told of", lambda: (lambda q: len(q["quality"]) == 2 and q)(quality(s)))
        alpha = [r for r in told["quality"] if r["vendor"] == "alpha"][0]
        want = {"group": "CN/GD/telecom", "pulls": 40, "success": 0.75, "first_frame_ms": 245, "p50_ms": 240, "p95_ms": 380,
                "users": 40, "stall_rate": 0.2, "zero_stall": 0.8, "sessions": 30, "mbps": 60}
        assert {k: alpha[k] for k in want} == want, alpha
        # 40 pulls of its own against 50 of the coarser level, which is the same 40
        assert abs(alpha["own_success"] - 40 / 90) < 0.001, alpha
        assert 0.75 < alpha["est_success"] < 0.98 and alpha["leans_on"] in ("province", "isp"), alpha
        assert 0 < alpha["quality"] < 1 and alpha["breaker"] in ("closed", "open"), alpha
        assert told["sampled_percent"] == 100 and told["age_s"] < 10, told
        assert [r["accepted"] for r in told["sources"] if r["source"] == "qos"] == [45], told["sources"]

        def by(what):
            return {(r["vendor"], r.get(what)): r for r in quality(s, "--by", what)["quality"]}
        assert by("definition")["alpha", "hd"]["pulls"] == by("definition")["alpha", "4k"]["pulls"] == 20
        clients = by("client")
        assert clients["alpha", "web"]["success"] == 1 and clients["alpha", "other"]["success"] == 0.5, clients
        assert clients["alpha", "web"]["stall_rate"] == 0.4, clients
        assert set(by("country")) == {("alpha", "CN"), ("beta", "CN")}, by("country")
        assert set(by("province")) == {("alpha", "CN/GD"), ("beta", "CN/GD")}
        assert set(by("isp")) == {("alpha", "CN/telecom"), ("beta", "CN/unicom")}
        assert by("vendor")["beta", "beta"]["sessions"] == 5
        assert [r["vendor"] for r in quality(s, "--groups", "CN/GD/unicom")["quality"]] == ["beta"]
        assert [r["group"] for r in quality(s, "al*")["quality"]] == ["CN/GD/telecom"]
        assert "by: got shoe" in quality(s, "--by", "shoe", ok=False)[1]
        hot = s.ctl("hot", "--limit", "2")
        assert hot["live_streams"] == 4 and len(hot["streams"]) == 2, hot
        top = [r for r in s.ctl("hot")["streams"] if r["stream"] == "room-0"][0]
        assert (top["sessions"], top["mbps"], top["pulls"], top["vendors"]) == (10, 20, 14, {"alpha": 10}), top
        assert abs(top["success"] - 10 / 14) < 0.001 and top["stalled"] == 0.3, top
        assert [r["stream"] for r in s.ctl("hot", "beta")["streams"]] == ["room-9"]
        post(s, [dict(r, session="c" + r["session"], ip=TELECOM + "7") for r in audience() if r["vendor"] == "beta"])
        both = wait_for("sums over two groups", lambda: (lambda r: r["pulls"] == 10 and r)(by("vendor")["beta", "beta"]))
        assert (both["sessions"], both["mbps"]) == (10, 40), both


def history():
    with Sluice() as s:
        wait_for("the first third of a minute", lambda: 3 < time.time() % 60 < 20, 60)
        post(s, audience())
        minute = int(time.time()) // 60 * 60

        def told():
            return s.ctl("quality", "--history", "5m")["history"]
        rows = wait_for("the minute to be rolled up", lambda: [r for r in told() if r["time"] == minute], 80)
        by_vendor = {r["vendor"]: r for r in rows}
        assert by_vendor["alpha"]["pulls"] == 40 and by_vendor["alpha"]["stall_rate"] == 0.2, rows
        line = "%d,%s,200,1000000,10" % (minute - 3600, TELECOM + "9")
        c = http.client.HTTPConnection("127.0.0.1", s.reports, timeout=60)
        c.request("POST", "/v1/logs?vendor=alpha&separator=,&columns=time,client,status,octets,ms&delay_min=120", line)
        assert c.getresponse().status == 200
        wait_for("the log of an hour ago", lambda: [r for r in s.ctl("quality", "--history", "2h")["history"] if r[
            "time"] == minute - 3600 and abs(r.get("log_mbps", 0) - 8e6 / 60 / 1e6) < 0.001], 80)
        s.kill("control")
        wait_for("control to be back", lambda: s.probe(s.admin))
        assert [r for r in s.ctl("quality", "--history", "5m", "--by", "group")["history"] if r["group"] == "CN/GD/telecom" and r[
            "time"] == minute]
        assert [r for r in s.ctl("quality", "--history", "30d")["history"] if r["pulls"] == 40]


run([live] + ([history] if LONG else []))
