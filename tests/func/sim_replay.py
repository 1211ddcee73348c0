#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A daemon's record replayed: the same code gives the same octets, over restarts too; with something
changed it says what would have been; a damaged record is refused."""
import glob
import http.client
import json
import os
import subprocess

from sluice import BUILD, Sluice, run

SIM = os.path.join(BUILD, "sluice-sim")


def replay(path, *options, code=0):
    done = subprocess.run([SIM, "--replay", "--json", *options, path], capture_output=True, text=True, check=False)
    assert done.returncode == code, (options, done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if code == 0 else done.stderr


def records(s):
    return sorted(glob.glob(os.path.join(s.state, "record", "*.rec")))


def share(part, vendor):
    return next(v["share"] for v in part["vendors"] if v["name"] == vendor)


def busy(s, ticks):
    """Meters, sessions by both kinds of doors, reports, and an operator's change."""
    for i in range(ticks):
        s.ctl("meter", "push", "alpha", str(2000000 + 100000 * i))
        s.ctl("meter", "push", "beta", "1000000")
        s.ctl("meter", "push", "gamma", "500000")
        for k in range(40):
            s.resolve(ip="202.96.128.%d" % (k + 1), client="c%d.%d" % (i, k))
            s.resolve(ip="27.40.%d.1" % k)
        body = json.dumps({"reports": [
            {"session": "%d.%d" % (i, k), "stream": "a", "vendor": "beta", "ok": k % 3 > 0, "bitrate_kbps": 4000,
             "ip": "27.40.%d.7" % k} for k in range(150)]})
        c = http.client.HTTPConnection("127.0.0.1", s.reports, timeout=60)
        c.request("POST", "/v1/qos", body)
        assert c.getresponse().status in (200, 202, 204)
        c.close()
        if i == 2:
            s.ctl("vendor", "weight", "beta", "2", "--why", "test")
        s.tick()


def a_record_gives_the_same_octets():
    with Sluice(extra="record_minutes: 10") as s:
        busy(s, 5)
        s.stop()
        s.start()
        busy(s, 3)
        s.stop()
        files = records(s)
        assert len(files) == 2, files
        for path in files:
            r = replay(path)["replay"]
            assert r["ticks"] >= 3 and r["compared"] == r["ticks"] and r["rows_off"] == 0, r
            assert abs(sum(v["share"] for v in r["vendors"]) + r["none"] - 1) < 1e-4, r
        assert share(replay(files[0])["replay"], "alpha") > 0.05


def what_if_something_were_different():
    with Sluice(extra="record_minutes: 10") as s:
        busy(s, 4)
        s.stop()
        path = records(s)[0]
        both = replay(path, "--whatif", "drain.alpha=1")
        assert share(both["whatif"], "alpha") == 0 and share(both["replay"], "alpha") > 0.05, both
        assert both["replay"]["rows_off"] == 0 and both["whatif"]["rows_off"] > 0, both
        both = replay(path, "--whatif", "max.gamma=1", "--whatif", "weight.alpha=3")
        assert share(both["whatif"], "gamma") < 0.001, both
        assert share(both["whatif"], "alpha") > share(both["replay"], "alpha"), both
        for wrong in ("drain.nobody=1", "slices=0", "weight.alpha=", "nonsense=1", "weight=1"):
            assert wrong.split("=")[0] in replay(path, "--whatif", wrong, code=1), wrong
        table = subprocess.run([SIM, "--replay", path], capture_output=True, text=True, check=True).stdout
        assert "rows that differ: 0" in table and "| alpha | as recorded |" in table, table


def a_broken_record_is_refused():
    with Sluice(extra="record_minutes: 10") as s:
        busy(s, 3)
        s.stop()
        with open(records(s)[0], "rb") as f:
            octets = f.read()
        path = os.path.join(s.dir, "x.rec")

        def write(what):
            with open(path, "wb") as f:
                f.write(what)
            return path
        whole = replay(write(octets))["replay"]["ticks"]
        cut = replay(write(octets[:-20]))["replay"]  # as kill -9 leaves it
        assert cut["ticks"] == whole and cut["compared"] == whole - 1, cut
        at = len(octets) // 2
        assert "damaged" in replay(write(octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1:]), code=1)
        assert "not a record" in replay(write(b"x" * 1000), code=1)
        assert "not a record" in replay(write(octets[:24]), code=1)
    with Sluice() as s:  # off unless asked for
        s.tick()
        assert not records(s)


run([a_record_gives_the_same_octets, what_if_something_were_different, a_broken_record_is_refused])
