#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""More pull attempts than the reports listener has room for: it keeps a part of the viewers, so that rates stay what
they are, scales what is a sum, counts what it shed and says what part it keeps."""
import http.client
import json
import math
import os
import subprocess
import tempfile
import time

BUILD = os.environ.get("top_builddir") or "build"
SERVER = os.path.join(BUILD, "tests/func/collect_server")
ROOM, PER_TICK, TICKS, BAD = 20000, 800, 120, 0.3
VIEWERS = PER_TICK * TICKS


def viewer(i):
    """Viewers are in no order of nets; each pulls once, three of ten in vain."""
    at = i * 7919 % VIEWERS
    good = i * 104729 % 10 >= 10 * BAD
    return {"session": "v%d" % i, "stream": "t", "vendor": "alpha", "ok": good, "bitrate_kbps": 1000,
            "ip": "10.1.%d.%d" % (at // 250 % 250, 1 + at % 250)}


with tempfile.TemporaryDirectory() as folder:
    server = subprocess.Popen([SERVER, os.path.join(folder, "facts.blob"), "1", "100", str(ROOM)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(server.stdout.readline().split()[1])

    def facts():
        server.stdin.write("\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    def next_tick(number):
        until = time.monotonic() + 60
        while True:
            f = facts()
            if f and f["meta"][0]["number"] > number:
                return f
            assert time.monotonic() < until, "no tick in a minute"
            time.sleep(0.01)

    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began, f = time.monotonic(), next_tick(0)
    kept = [f["meta"][0]["sampled_ppm"]]
    for t in range(TICKS):
        c.request("POST", "/v1/qos", json.dumps({"reports": [viewer(i) for i in range(t * PER_TICK, (t + 1) * PER_TICK)]}))
        answer = c.getresponse()
        assert answer.status == 200 and json.loads(answer.read()) == {"accepted": PER_TICK}
        f = next_tick(f["meta"][0]["number"])
        kept.append(f["meta"][0]["sampled_ppm"])
    f = next_tick(next_tick(f["meta"][0]["number"])["meta"][0]["number"])
    took = time.monotonic() - began
    c.close()
    server.terminate()
    assert server.wait(60) == 0

sources = {s["name"]: s for s in f["sources"]}
accepted, shed = sources["qos"]["accepted"], sources["qos/shed"]["refused"]
assert accepted + shed == VIEWERS, (accepted, shed)
assert accepted < ROOM and "all/evicted" not in sources and "qos/dropped" not in sources, sources
assert kept[0] == 1000000 and 1000 <= min(kept) < 200000, kept
cells = [x for x in f["cells"] if x["window"] == 0]
pulls, good, sessions, kbps = (sum(x[m] for x in cells) for m in ("pulls", "pulls_ok", "sessions", "kbps"))
print("%d of %d kept in %.0f s, at least %.1f %%; success %.3f, %d sessions" % (
    accepted, VIEWERS, took, min(kept) / 1e4, good / pulls, sessions))
sigma = math.sqrt(BAD * (1 - BAD) / pulls)
assert abs(good / pulls - (1 - BAD)) < 4 * sigma, (good, pulls)
if took < 40:  # all who got through are alive
    assert pulls > accepted * 0.95, (pulls, accepted)
    alive = VIEWERS * (1 - BAD)
    sigma = math.sqrt(alive * min(kept) / 1e6) / (min(kept) / 1e6)
    assert abs(sessions - alive) < 4 * sigma, (sessions, alive, sigma)
    assert abs(kbps / sessions - 1000) < 1, (kbps, sessions)
