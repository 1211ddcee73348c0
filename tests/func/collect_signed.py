#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reports that are signed, and those of load tests, which run the whole path into facts of their own."""
import hashlib
import hmac
import http.client
import json
import os
import time

from sluice import Sluice, run, wait_for

KEYS = """keys: [{name: rep, file: rep.key}, {name: old, file: old.key}, {name: load, file: load.key}, {name: url, file: url.key}]
reports: {key: rep, backup_key: old, require_signature: %s, test_key: load}
"""
FILES = {"rep.key": b"secret one\n", "old.key": b"secret two", "load.key": b"load-9\n", "url.key": b"of the answers"}


def body(n=1, vendor="alpha", tag=""):
    return json.dumps({"reports": [{"session": "s%d%s" % (i, tag), "stream": "room", "vendor": vendor, "ok": True,
                                    "bitrate_kbps": 2000} for i in range(n)]})


def sign(text, key="secret one", t=None):
    t = str(int(time.time() if t is None else t))
    return "t=%s,sign=%s" % (t, hmac.new(key.encode(), (t + "\n" + text).encode(), hashlib.sha256).hexdigest())


def send(s, text=None, method="POST", path="/v1/qos", **headers):
    c = http.client.HTTPConnection("127.0.0.1", s.reports, timeout=60)
    c.request(method, path, text, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = c.getresponse()
    octets = answer.read()
    c.close()
    return answer.status, json.loads(octets)["error"]["code"] if answer.status >= 400 else None


def signed():
    with Sluice(extra=KEYS % "true" + "trusted_senders: [192.0.2.0/24]\n", prepare=FILES) as s:
        wait_for("the keys", lambda: "collect keys.taken keys=3" in s.log())
        good = body(3)
        assert send(s, good, X_Sluice_Signature=sign(good)) == (200, None)
        assert send(s, good, X_Sluice_Signature=sign(good, "secret two")) == (200, None)
        assert send(s, good) == (401, "signature")
        for bad in (sign(good, "secret three"), sign(good + " "), sign(good, t=time.time() - 400), sign(good, t=time.time() + 400),
                    "t=1", "sign=00", "x", sign(good)[:-1], sign(good).replace("t=", "t=1"), sign(good, "of the answers")):
            assert send(s, good, X_Sluice_Signature=bad) == (401, "signature"), bad
        path = "/v1/cmcd?vendor=beta&CMCD=cid%3D%22c%22%2Csid%3D%22g%22"
        assert send(s, method="GET", path=path, X_Sluice_Signature=sign(path)) == (204, None)
        assert send(s, method="GET", path=path, X_Sluice_Signature=sign("")) == (401, "signature")
        told = wait_for("the refusals", lambda: {r["source"]: r["refused"] for r in s.ctl("quality", ok=True)["sources"]}
                        if s.ctl("quality", ok=False)[0] == 0 else None)
        wait_for("all of them", lambda: {r["source"]: r["refused"] for r in s.ctl("quality")["sources"]}.get(
            "qos/signature") == 11)
        assert told is not None
        # of the other processes no one has these keys, and collect none of theirs
        keys = {p: open(os.path.join(s.state, "keys", p + ".blob"), "rb").read() for p in ("answer", "control", "collect")}
        assert b"secret one" in keys["collect"] and b"of the answers" not in keys["collect"]
        assert b"secret one" not in keys["answer"] + keys["control"] and b"of the answers" in keys["answer"]


def load_test():
    with Sluice(extra=KEYS % "false", prepare=FILES) as s:
        wait_for("the keys", lambda: "collect keys.taken keys=3" in s.log())
        assert s.ctl("quality", "--test", ok=False)[0] == 1
        assert send(s, body(20), X_Sluice_Test="wrong") == (403, "test")
        assert send(s, body(20), X_Sluice_Test="load-9") == (200, None)
        assert send(s, body(5, "beta", "live")) == (200, None)
        wait_for("the live ones", lambda: s.ctl("quality", ok=False)[0] == 0 and [
            (r["vendor"], r["pulls"]) for r in s.ctl("quality")["quality"]] == [("beta", 5)])
        told = wait_for("the load test", lambda: s.ctl("quality", "--test") if s.ctl("quality", "--test", ok=False)[0] == 0 else None)
        assert [(r["vendor"], r["pulls"], r["sessions"]) for r in told["quality"]] == [("alpha", 20, 20)], told
        assert [(r["source"], r["accepted"]) for r in told["sources"]] == [("qos", 20)], told["sources"]
        assert "quality" not in told["quality"][0] and "breaker" not in told["quality"][0]  # it moves nobody
        assert s.ctl("hot", "--test")["streams"][0]["sessions"] == 20
        assert s.ctl("hot")["streams"][0]["sessions"] == 5
        assert [(r["source"], r["accepted"]) for r in s.ctl("quality")["sources"] if r["source"] == "qos"] == [("qos", 5)]


run([signed, load_test])
