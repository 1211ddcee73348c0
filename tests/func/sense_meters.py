#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pulled meters of a real daemon against vendors' APIs on loopback: the ready-made ones with their
signatures, paging, limits, back-off, lies; secrets stay secret."""
import os
import time

import sense_vendors
import sluice
from sense_vendors import SECRET, USER, Vendors, mbps_at
from sluice import Sluice, wait_for

TAIL = """services:
  - name: live
    hosts: [live.sluice.example]
    vendors:
      - {vendor: v0, cname: live.v0.example.}
zones:
  - {name: sluice.example, file: sluice.example.zone}
"""


def catalog(meters, nodes=""):
    """One vendor per meter: v0, v1, ... with its figures."""
    out = "vendors:\n"
    for i, fields in enumerate(meters):
        out += "  - name: v%d\n    guaranteed_mbps: 100\n    max_mbps: 20000\n    meters:\n      - name: m\n" % i
        out += "".join("        %s\n" % line for line in fields)
    return (out + nodes + TAIL).encode()


def daemon(meters, nodes=""):
    return Sluice(extra="keys: [{name: api, file: api.key}]",
                  prepare={"catalog.yaml": catalog(meters, nodes), "api.key": SECRET.encode() + b"\n"})


def sources(d):
    return {s["vendor"]: s for s in d.ctl("meter", "sources")["sources"]}


def source(d, vendor, condition, what):
    return wait_for("%s: %s of %s" % (what, vendor, sources(d)[vendor]),
                    lambda: (lambda s: s if condition(s) else None)(sources(d)[vendor]))


def shown(d, vendor):
    return next(m for m in d.ctl("meter", "show", vendor)["meters"] if m["region"] == "total")


def ready_made_apis():
    ali = ['user: "%s"' % USER, "key: api"]
    with Vendors("aliyun") as a, Vendors("tencent") as t, Vendors("fastly") as f:
        def meter(api, url, *more):
            return ["api: " + api, 'params: ["endpoint=%s", "domain=play.example.com", "service=x"]' % url,
                    *ali, *more]
        with daemon([meter("aliyun_live_realtime", a.url), meter("aliyun_live", a.url),
                     meter("aliyun_cdn_realtime", a.url), meter("tencent_live", t.url),
                     meter("tencent_live_group", t.url), meter("tencent_bill", t.url),
                     meter("fastly", f.url, "every_s: 1", "window_s: 2")]) as d:
            for i in range(7):
                s = source(d, "v%d" % i, lambda s: s["taken"] >= 1, "taken")
                assert s["state"] == "ok" and not s["refused"], s
                m = shown(d, "v%d" % i)
                want = 100 if i == 6 else mbps_at(m["window_start"])
                assert abs(m["mbps"] - want) < 0.01, (i, m, want)
                assert m["window_end"] - m["window_start"] == (2 if i == 6 else 300 if i in (1, 5) else 60), m
                assert m["age_s"] < 1000 and s["window_age_s"] < 1000, (m, s)
            # windows follow each other although no look brings a whole one
            n = sources(d)["v6"]["taken"]
            s = source(d, "v6", lambda s: s["taken"] >= n + 2, "two more windows")
            assert not s["refused"], s
            assert f.cursors[0] == 0 and f.cursors[1] > 1e9 and f.cursors == sorted(f.cursors)


def secrets_stay_secret():
    with Vendors("aliyun") as a:
        with daemon([["api: aliyun_live_realtime", "user: nobody", "key: api",
                      'params: ["endpoint=%s", "domain=play.example.com"]' % a.url],
                     ["url: http://127.0.0.1:1/?k={secret}", "value: /v", "key: api"],
                     ["url: http://127.0.0.1:1/", "value: /v", "key: absent"]]) as d:
            s = source(d, "v0", lambda s: s["refused"].get("status"), "refused")
            assert "InvalidParameter" in s["note"], s
            source(d, "v1", lambda s: s["refused"].get("connect"), "refused")
            s = source(d, "v2", lambda s: s["refused"].get("key"), "no secret")
            assert "absent" in s["note"] and s["requests"] == 0, s
            said = d.log() + str(d.ctl("meter", "sources")) + str(d.ctl("config", "show"))
            assert SECRET not in said and "s3cret" not in said
            answer = os.path.join(d.state, "keys", "answer.blob")
            with open(answer, "rb") as f:
                assert SECRET.encode() not in f.read()
            assert os.stat(os.path.join(d.state, "keys", "control.blob")).st_mode & 0o777 == 0o400


def pages_and_authentication():
    point = ["series: /points", "time: /t", "value: /v", "unit: kbps", "step_s: 10", "window_s: 10",
             "delay_s: 1", "next: /next"]
    with Vendors("") as w:
        with daemon([["url: %s/paged?token={next}" % w.url, "auth: bearer", "key: api", *point],
                     ["url: %s/numbered?page={page}" % w.url, "auth: basic", "user: %s" % USER, "key: api",
                      "series: /rows", "time: /0", "value: /1", "pages: /pages", "step_s: 10", "window_s: 10",
                      "delay_s: 1"],
                     ["url: %s/endless?token={next}" % w.url, "rate_per_s: 1000", *point],
                     ["url: %s/numbered?page={page}" % w.url, "auth: basic", "user: x", "key: api", "value: /v"]]) as d:
            s = source(d, "v0", lambda s: s["taken"], "taken")
            assert s["mbps"] == 70 and s["requests"] % 5 == 0, s
            s = source(d, "v1", lambda s: s["taken"], "taken")
            assert s["mbps"] == 60, s
            source(d, "v2", lambda s: s["refused"].get("pages"), "endless")
            source(d, "v3", lambda s: s["refused"].get("status"), "wrong user")


def faults_are_counted_and_waited_for():
    def look(path, *more):
        return ["url: %s/%s" % (w.url, path), "value: /v", "window_s: 10", "every_s: 1", "delay_s: 0", *more]

    def rows(path):
        return ["url: %s/%s" % (w.url, path), "series: /rows", "time: /t", "value: /v", "step_s: 10",
                "window_s: 10", "every_s: 1"]
    with Vendors("") as w:
        with daemon([look("slow", "timeout_ms: 300"), look("dripping", "timeout_ms: 300"), look("limited"),
                     look("failing"), look("lying/negative"), look("lying/absurd"), look("lying/text"),
                     rows("lying/future"), rows("lying/ancient"), look("lying/json"), look("lying/long"),
                     look("lying/moved"), look("lying/fine", "rate_per_s: 1000")]) as d:
            for vendor, reason in ((0, "timeout"), (1, "timeout"), (2, "rate"), (3, "status"),
                                   (4, "implausible"), (5, "implausible"), (6, "series"), (9, "json"),
                                   (10, "length"), (11, "series")):
                source(d, "v%d" % vendor, lambda s: s["refused"].get(reason), reason)
            fine = source(d, "v12", lambda s: s["taken"] >= 2, "taken")
            assert fine["mbps"] == 50 and fine["state"] == "ok", fine
            assert fine["window_age_s"] < 40, "delay_s 0 is no delay: the api's were 60"
            for vendor in ("v7", "v8"):  # points of other times than asked for are not taken
                s = source(d, vendor, lambda s: s["requests"] >= 2, "asked")
                assert s["taken"] == 0 and s["window_age_s"] is None, s
            for vendor in ("v4", "v5"):
                assert shown(d, vendor)["state"] == "none", shown(d, vendor)
            # 429: not sooner than it said, then taken
            source(d, "v2", lambda s: s["taken"] >= 2, "taken between")
            at = w.times["limited"]
            for i in range(0, len(at) - 1, 2):
                assert at[i + 1] - at[i] >= 1.9, at
            # 500: at least half of 2, 4, 8 s
            wait_for("the third failure", lambda: len(w.times["failing"]) >= 3)
            gap = [b - a for a, b in zip(w.times["failing"], w.times["failing"][1:])]
            assert 0.9 < gap[0] and 1.9 < gap[1], gap
            source(d, "v3", lambda s: s["fails"] >= 3, "in a row")
            assert d.metric("sluice_meter_source_refused_total", 'vendor="v3",meter="m",reason="status"') >= 3
            assert d.metric("sluice_meter_source_age_seconds", 'vendor="v3"') > 1, "never read, and that ages"


def rates_are_kept():
    with Vendors("") as w:
        meters = [["url: %s/lying/fine" % w.url, "value: /v", "window_s: 10", "every_s: 1", "delay_s: 0",
                   "rate_per_s: 2"] for _ in range(8)]
        with daemon(meters) as d:
            wait_for("twelve requests", lambda: len(w.times.get("lying", ())) >= 12)
            at = w.times["lying"]
            gaps = sorted(b - a for a, b in zip(at, at[1:]))  # one that is met late is near the next
            assert max(gaps[len(gaps) // 2], sum(gaps) / len(gaps)) > 0.4, at


def a_host_that_says_too_often_is_left_alone():
    """Also by those who had their turn already."""
    with Vendors("") as w:
        with daemon([["url: %s/closing" % w.url, "value: /v", "window_s: 10", "every_s: 1", "delay_s: 0", "rate_per_s: 10"]
                     for _ in range(40)]) as d:
            wait_for("they go on", lambda: len(w.times.get("closing", ())) >= 30, 40)
            at = w.times["closing"]
            assert sum(at[4] < t < at[4] + 3.9 for t in at) <= 3, [t - at[4] for t in at]
            assert d.metric("sluice_meter_source_refused_total", 'reason="rate"') == 1


def what_is_told_again_is_not_added():
    with Vendors("") as w:
        with daemon([["url: %s/stuck?since={cursor}" % w.url, "series: /Data", "time: /recorded", "value: /aggregated/bandwidth",
                      "unit: octets", "cursor: /Timestamp", "step_s: 1", "window_s: 2", "delay_s: 5", "every_s: 1",
                      "rate_per_s: 1000"]]) as d:
            seen = set()

            def long_enough(s):
                seen.add(s.get("mbps", 0))
                return s["taken"] >= 16 and s["refused"].get("series", 0) >= 2
            source(d, "v0", long_enough, "taken")
            assert seen - {0} == {100}, seen


def own_nodes():
    nodes = "nodes:\n" + "".join(
        "  - {name: n%d, vendor: v0, group: CN/GD/telecom, capacity_mbps: 1000, a: [127.0.0.%d]}\n" % (i, i)
        for i in (1, 2))
    with Vendors("") as w:
        port = w.server_address[1]
        with daemon([["nodes: true", "url: http://127.0.0.1:%d/counter/{node}" % port, "unit: octets_total",
                      "value: /zones/a~1b/out", "every_s: 1", "rate_per_s: 1000"]], nodes) as d:
            wait_for("a sum", lambda: shown(d, "v0")["state"] == "ok")
            wait_for("its value", lambda: abs(shown(d, "v0")["mbps"] - 120) < 12)

            def each_is_near():
                found = {s["of"]: s["mbps"] for s in d.ctl("meter", "sources")["sources"]}
                return abs(found["n1"] - 40) < 8 and abs(found["n2"] - 80) < 16
            wait_for("theirs", each_is_near)
            def asked_on(n=6):
                asked = lambda: sum(s["requests"] for s in d.ctl("meter", "sources")["sources"])
                first = asked()
                wait_for("more answers of nodes", lambda: asked() >= first + n)
                return shown(d, "v0")["ok"]

            d.ctl("switch", "set", "meters", "off", "--confirm", "meters")
            still = asked_on()
            assert asked_on() == still, "what is pulled does not count"
            d.ctl("switch", "set", "meters", "on", "--confirm", "meters")
            wait_for("it counts again", lambda: shown(d, "v0")["ok"] > still)


def reloads_keep_what_is_known():
    with Vendors("") as w:
        meter = ["url: %s/lying/fine" % w.url, "value: /v", "window_s: 10", "every_s: 1", "delay_s: 0"]
        south = catalog([meter + ["region: south"], meter]).replace(
            b"    meters:", b"    regions: [{name: south, groups: [CN/GD/*], max_mbps: 5000}]\n    meters:")
        with daemon([meter]) as d:
            n = source(d, "v0", lambda s: s["taken"] >= 2, "taken")["taken"]
            d.write_octets("catalog.yaml", catalog([meter, meter]))
            d.ctl("reload")
            wait_for("two sources", lambda: len(sources(d)) == 2)
            assert sources(d)["v0"]["taken"] >= n
            d.write_octets("catalog.yaml", south)
            d.ctl("reload")
            wait_for("its new region", lambda: sources(d)["v0"]["of"] == "south")
            assert sources(d)["v0"]["taken"] >= n
            source(d, "v1", lambda s: s["taken"] >= 1, "taken")
            for bad, why in ((["url: http://x/{nothing}", "value: /v"], "{nothing}"),
                             (["api: aliyun_live"], "{domain}"), (["value: /v"], "url"),
                             (["url: http://x/", "value: /v", "region: nowhere"], "nowhere")):
                d.write_octets("catalog.yaml", catalog([bad]))
                code, said = d.ctl("reload", ok=False)
                assert code == 1 and why in said and "catalog.yaml:" in said, said


assert time.time() > 0 and sense_vendors.PATHS
sluice.run([ready_made_apis, secrets_stay_secret, pages_and_authentication, faults_are_counted_and_waited_for,
            rates_are_kept, a_host_that_says_too_often_is_left_alone,
            what_is_told_again_is_not_added, own_nodes, reloads_keep_what_is_known])
