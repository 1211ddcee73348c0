#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The reports listener over real sockets: what it answers to good and bad reports, whose claims it
believes, and CMCD in each of its forms."""
import http.client
import json
import os
import subprocess
import tempfile
import time
import urllib.parse

BUILD = os.environ.get("top_builddir") or "build"
SERVER = os.path.join(BUILD, "tests/func/collect_server")


class Server:
    def __init__(self):
        self.dir = tempfile.TemporaryDirectory()
        self.p = subprocess.Popen([SERVER, os.path.join(self.dir.name, "facts.blob"), "1", "100"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split()[1])
        self.accepted = 0

    def facts(self):
        """Facts that know of all that was accepted."""
        until = time.monotonic() + 60
        while True:
            self.p.stdin.write("\n")
            self.p.stdin.flush()
            f = json.loads(self.p.stdout.readline())
            if f and f["meta"][0]["accepted"] >= self.accepted:
                return f
            assert time.monotonic() < until, f
            time.sleep(0.02)

    def cells(self):
        return {(c["vendor"], c["group"]): c for c in self.facts()["cells"] if c["window"] == 0}

    def ask(self, method, target, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request(method, target, body, headers or {})
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, json.loads(text) if text else None

    def qos(self, *reports, accepted=None):
        status, body = self.ask("POST", "/v1/qos", json.dumps({"reports": reports}))
        self.accepted += body["accepted"]
        assert accepted is None or body["accepted"] == accepted, body
        return status, body

    def end(self):
        self.p.terminate()
        assert self.p.wait(60) == 0

    def stop(self):
        self.end()
        self.p.stdin.close()
        self.p.stdout.close()
        self.dir.cleanup()


def report(**more):
    return dict({"session": "s", "stream": "t", "vendor": "alpha"}, **more)


def test_bad_items_are_named_and_good_ones_kept(s):
    now = time.time() * 1000
    bad = [("t_ms", "old", now - 3600e3), ("t_ms", "future", now + 3600e3), ("t_ms", "range", 1e300),
           ("t_ms", "type", "now"), ("vendor", "vendor", "omega"), ("ip", "ip", "10.1.2"),
           ("kind", "kind", "watch"), ("bitrate_kbps", "range", 1e9), ("session", "length", "x" * 129)]
    for i, (field, code, value) in enumerate(bad):
        status, body = s.qos(report(session="g%d" % i), report(**{field: value}), report(session="h%d" % i))
        assert status == 400 and body["accepted"] == 2 and body["refused"] == 1, body
        assert body["items"] == [{"index": 1, "code": code, "field": field, "message": body["items"][0]["message"]}], body
        assert body["error"]["code"] == code and "item 1" in body["error"]["message"], body
    for broken in (b'{"reports":[', b"\x00\x01\xff", b'{"reports":[{}]} x', b"[[[[[[" * 1000):
        status, body = s.ask("POST", "/v1/qos", broken)
        assert status == 400 and body["accepted"] == 0 and body["error"]["code"], body
    sources = {x["name"]: x for x in s.facts()["sources"]}
    assert sources["qos"]["accepted"] == 18 and sources["qos/old"]["refused"] == 1, sources
    assert sources["qos/vendor"]["refused"] == 1 and sources["qos"]["last_ms"] > now - 1000


def test_a_group_comes_from_the_address(s):
    """Loopback is trusted, so it may name others; one that comes through it by a proxy may not."""
    s.qos(report(session="a", ip="10.2.0.1", bitrate_kbps=100), accepted=1)
    assert s.cells()[0, 2]["kbps"] == 100
    _, body = s.ask("POST", "/v1/qos", json.dumps(report(session="b", ip="10.2.0.1", bitrate_kbps=100)),
                    {"X-Forwarded-For": "10.3.0.9"})
    s.accepted += body["accepted"]
    cells = s.cells()
    assert cells[0, 3]["kbps"] == 100 and cells[0, 2]["kbps"] == 100, cells


def test_cmcd_in_every_form(s):
    """The vendor by its CNAME (version 2), by the parameter of the report's address (version 1)."""
    v1 = 'bl=21300,br=3200,cid="c1",ot=v,sid="%s",st=l,v=1'
    status, _ = s.ask("GET", "/v1/cmcd?vendor=gamma&CMCD=" + urllib.parse.quote(v1 % "q1"))
    assert status == 204
    status, _ = s.ask("GET", "/v1/cmcd?vendor=gamma", headers={
        "CMCD-Object": "br=3200,ot=v", "CMCD-Session": 'cid="c1",sid="q2"', "CMCD-Status": "bs"})
    assert status == 204
    status, _ = s.ask("POST", "/v1/cmcd?vendor=gamma", json.dumps(
        [{"sid": "q3", "cid": "c1", "br": 3200}, {"sid": "q4", "cid": "c1", "br": 3200}]))
    assert status == 204
    now = int(time.time() * 1000)
    events = ['cid="c2",e=ps,h="live.beta.example",msd=700,sid="e1",sta=p,ts=%d,v=2' % now,
              'bsd=2500,cid="c2",e=t,h="live.beta.example",sid="e2",ts=%d,v=2' % now,
              'cid="c2",e=rr,h="live.beta.example",rc=503,sid="e3",ts=%d,v=2' % now]
    headers = {"Content-Type": "application/cmcd"}
    status, _ = s.ask("POST", "/v1/cmcd", "\n".join(events) + "\n", headers)
    assert status == 204
    status, body = s.ask("POST", "/v1/cmcd", "\n".join([events[1], "no such line", events[1]]), headers)
    assert status == 400 and body["accepted"] == 2 and body["items"][0]["index"] == 1, body
    for event in ('e=ps,ts=%d,v=2' % now, 'cid="c2",e=ps,sid="e1",sta=p,ts=%d,v=2' % now,
                  'cid="c2",e=rr,h="elsewhere.example",rc=200,sid="e1",ts=%d,v=2' % now,
                  'cid="c2",e=rr,h="live.beta.example",rc=200,sid="e1",ts=%d,v=2' % (now - 900000)):
        status, _ = s.ask("POST", "/v1/cmcd", event + "\n", headers)
        assert status == 204, (status, event)  # a player would send a refused one again and again
    s.accepted += 9
    cells = s.cells()
    assert cells[2, 0]["sessions"] == 4 and cells[2, 0]["kbps"] == 4 * 3200, cells
    beta = cells[1, 0]
    assert (beta["pulls"], beta["pulls_ok"], beta["first_frame_us"]) == (2, 1, 700000), beta
    assert (beta["users"], beta["stalled_users"]) == (3, 1), beta


def test_logs(s):
    """Lines of each format add up per vendor and group, in the minutes they are of."""
    now = time.time()
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    clf = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now))
    bodies = [
        ("vendor=alpha&format=huawei", "%s|d|10.1.0.1|n|u|200|HIT|http|GET|1000|5000|ua|-|live|r\n" % iso * 3),
        ("vendor=alpha&format=aliyun", '[%s] 10.1.0.1 - 2500 "-" "GET http://x/" 200 191 200 MISS "M" "t"\n' % clf),
        ("vendor=alpha&format=nginx", '10.1.0.1 - - [%s] "GET / HTTP/1.1" 503 30 "-" "c"\n' % clf),
        ("vendor=alpha&format=volcengine", json.dumps({"request_time": now, "client_ip": "10.1.0.1",
                                                       "total_out_byte": 4})),
        ("", json.dumps({"t_ms": now * 1000, "vendor": "alpha", "client": "10.1.0.1", "octets": 5})),
        ("vendor=alpha&columns=client,octets,time&separator=;", "10.1.0.1;6;%s" % iso)]
    for query, body in bodies:
        status, answer = s.ask("POST", "/v1/logs?" + query, body)
        assert status == 200, (query, answer)
        s.accepted += answer["accepted"]
    cells = [c for c in s.facts()["cells"] if c["window"] >= 4]
    total = {n: sum(c["log_" + n] for c in cells) for n in ("octets", "requests", "errors", "slow")}
    assert total == {"octets": 3245, "requests": 8, "errors": 1, "slow": 1}, total
    assert {(c["vendor"], c["group"]) for c in cells} == {(0, 1)}, cells
    old = '{"t_ms":%d,"vendor":"alpha","client":"10.1.0.1"}' % ((now - 3600) * 1000)
    status, answer = s.ask("POST", "/v1/logs", "\n".join([old, bodies[4][1], "junk"]))
    assert status == 400 and answer["accepted"] == 1, answer
    assert [(i["index"], i["code"]) for i in answer["items"]] == [(0, "old"), (2, "line")], answer
    assert s.ask("POST", "/v1/logs?format=none", "x")[0] == 400
    assert s.ask("POST", "/v1/logs", bodies[4][1], {"X-Forwarded-For": "10.3.0.9"})[0] == 403


def test_browsers_may_call(s):
    for door in ("/v1/qos", "/v1/cmcd"):
        c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=60)
        c.request("OPTIONS", door, headers={"Origin": "http://x.example", "Access-Control-Request-Method": "POST"})
        r = c.getresponse()
        assert r.status == 204 and r.getheader("Access-Control-Allow-Origin") == "*"
        c.close()


def test_the_last_facts_know_of_all(s):
    """Also of what came a moment before the end, when the batch before it had not been fetched."""
    for i in range(6):
        s.qos(*[report(session="%d-%d" % (i, k), ip="10.2.0.1") for k in range(10)], accepted=10)
        time.sleep(0.004)
    s.end()
    dump = subprocess.run([os.path.join(BUILD, "sluicectl"), "world", "dump", os.path.join(s.dir.name, "facts.blob")],
                          capture_output=True, text=True, check=True)
    assert json.loads(dump.stdout)["meta"][0]["accepted"] == s.accepted, dump.stdout[:300]


def main():
    for test in (test_bad_items_are_named_and_good_ones_kept, test_a_group_comes_from_the_address,
                 test_cmcd_in_every_form, test_logs, test_browsers_may_call, test_the_last_facts_know_of_all):
        s = Server()
        try:
            test(s)
        finally:
            s.stop()
        print("PASS: %s" % test.__name__)


main()
