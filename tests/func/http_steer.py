#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""/steer as a player meets it: real daemon, plain HTTP."""
import http.client
import json
import os
import re
import signal
import urllib.parse
import xml.etree.ElementTree

from sluice import Sluice, run, wait_for

CATALOG = """vendors:
  - {name: alpha, guaranteed_mbps: 8000000, max_mbps: 14000000}
  - {name: beta, guaranteed_mbps: 6000000, max_mbps: 16000000}
  - {name: gamma, guaranteed_mbps: 3000000, max_mbps: 9000000}
signers:
  - {name: sign-gamma, scheme: type_a, key: absent}
services:
  - name: live
    hosts: [live.sluice.example]
    refresh_s: 30
    vendors:
      - {vendor: alpha, cname: live.alpha.example.}
      - {vendor: beta, play_host: edge.beta.example, play_port: %d, cname: live.beta.example.}
      - {vendor: gamma, cname: live.gamma.example.%s}
  - name: shut
    hosts: [shut.sluice.example]
    steering: %s
    vendors: [{vendor: alpha, cname: a.alpha.example.}, {vendor: beta, cname: b.beta.example.}]
zones:
  - {name: sluice.example, file: sluice.example.zone}
"""
TYPE = "application/vnd.apple.steering-list"


def catalog(port=0, gamma="", steering="true"):
    return CATALOG % (port, gamma, steering)


def ask(s, target, method="GET", headers=None):
    c = http.client.HTTPConnection("127.0.0.1", s.http, timeout=60)
    c.request(method, target, headers=headers or {})
    r = c.getresponse()
    body = r.read()
    c.close()
    return r, body


def manifest(s, target):
    r, body = ask(s, target)
    assert r.status == 200 and r.getheader("Content-Type") == TYPE, (r.status, body)
    m = json.loads(body)
    assert m["VERSION"] == 1 and isinstance(m["TTL"], int) and m["RELOAD-URI"].startswith("?"), m
    assert len(set(m["PATHWAY-PRIORITY"])) == len(m["PATHWAY-PRIORITY"]), m
    return m


class Player:
    """Keeps its URI and where it is, as players do."""

    def __init__(self, s, path, pathway="alpha", dash=False):
        self.s, self.uri, self.pathway, self.dash = s, path, pathway, dash
        self.m = None

    def ask(self, throughput=None):
        kind = "DASH" if self.dash else "HLS"
        query = ["_%s_pathway=%%22%s%%22" % (kind, self.pathway)]
        if throughput:
            query.append("_%s_throughput=%d" % (kind, throughput))
        self.m = manifest(self.s, self.uri + ("&" if "?" in self.uri else "?") + "&".join(query))
        self.uri = urllib.parse.urljoin(self.uri, self.m["RELOAD-URI"])
        self.pathway = self.m["PATHWAY-PRIORITY"][0]
        return self.pathway


def as_a_browser_sees_it(s):
    r, body = ask(s, "/steer/live/cup?_HLS_pathway=alpha", headers={"Origin": "https://page.example"})
    assert r.status == 200 and r.getheader("Access-Control-Allow-Origin") == "*"
    assert "Retry-After" in r.getheader("Access-Control-Expose-Headers")
    assert r.getheader("Cache-Control") == "no-store"
    assert 240 <= json.loads(body)["TTL"] <= 360, body
    r, body = ask(s, "/steer/live", "HEAD")
    assert r.status == 200 and body == b""
    r, body = ask(s, "/steer/live", "OPTIONS", {"Origin": "x", "Access-Control-Request-Method": "GET"})
    assert r.status == 204 and "GET" in r.getheader("Access-Control-Allow-Methods")
    assert ask(s, "/steer/nobody")[0].status == 404
    assert ask(s, "/steer/live", "POST")[0].status == 405


def never_429(s):
    """The configuration allows this address two requests a second."""
    other = {"X-Forwarded-For": "10.9.8.7"}
    seen = {ask(s, "/v1/resolve?host=live.sluice.example", headers=other)[0].status for _ in range(40)}
    assert 429 in seen, seen
    seen = {ask(s, "/steer/live", headers=other)[0].status for _ in range(100)}
    assert seen == {200}, seen


def tokens(s):
    token = "hdnts=st=1~exp=99~acl=/*~hmac=0a%2bF&x=%7e+%20&empty&y"
    m = manifest(s, "/steer/live?" + token + "&_HLS_pathway=alpha&client=c%22&_HLS_throughput=5")
    assert m["RELOAD-URI"].startswith("?" + token + "&client=c%22&_told="), m
    again = manifest(s, "/steer/live" + m["RELOAD-URI"] + "&_HLS_pathway=x")
    assert again["RELOAD-URI"] == m["RELOAD-URI"], (m, again)


def clones(s):
    m = manifest(s, "/steer/live?pathways=alpha&client=1")
    assert set(m["PATHWAY-PRIORITY"]) == {"alpha", "gamma"}, m  # beta has another port
    assert m["PATHWAY-CLONES"] == [{"BASE-ID": "alpha", "ID": "gamma",
                                    "URI-REPLACEMENT": {"HOST": "live.gamma.example", "PARAMS": {}}}], m
    s.write("catalog.yaml", catalog(8443, ", signer: sign-gamma"))
    s.ctl("reload")
    wait_for("gamma signs for itself", lambda: "PATHWAY-CLONES" not in manifest(s, "/steer/live?pathways=alpha"))
    assert manifest(s, "/steer/live?pathways=alpha")["PATHWAY-PRIORITY"] == ["alpha"]
    s.write("catalog.yaml", catalog(8443))
    s.ctl("reload")
    wait_for("it does not any more", lambda: "PATHWAY-CLONES" in manifest(s, "/steer/live?pathways=alpha"))


def it_stays_and_follows(s):
    crowd = [Player(s, "/steer/live?client=p%d" % i, dash=i % 2 == 1) for i in range(60)]
    for p in crowd:
        p.ask(5000000)
    start = [p.pathway for p in crowd]
    assert set(start) == {"alpha", "beta", "gamma"}, start
    for _ in range(3):
        s.tick()
        assert [p.ask(5000000) for p in crowd] == start
    moved = s.metric("sluice_steer_answers_total", "moved")
    assert wait_for("throughputs", lambda: s.metric("sluice_steer_throughput_total") >= 180)

    s.ctl("vendor", "drain", "beta", "--why", "test", "--confirm", "beta")
    wait_for("a short TTL", lambda: manifest(s, "/steer/live")["TTL"] == 10)
    during = [p.ask() for p in crowd]
    assert "beta" not in during, during
    assert all(after == before for after, before in zip(during, start) if before != "beta"), (start, during)
    assert [p.ask() for p in crowd] == during
    assert s.metric("sluice_steer_answers_total", "moved") == moved + start.count("beta")
    s.ctl("vendor", "resume", "beta", "--confirm", "beta")
    wait_for("a long TTL", lambda: manifest(s, "/steer/live")["TTL"] > 100)
    assert [p.ask() for p in crowd] == during, "nobody is moved back"


def blacklisted_in_one_group(s):
    here, there = (Player(s, "/steer/live?ip=%s" % ip, "gamma") for ip in ("202.96.128.86", "8.8.8.8"))
    for p in (here, there):
        p.uri += "&_told=gamma"
        assert p.ask() == "gamma"
    s.ctl("blacklist", "add", "gamma", "--groups", "CN/GD/*", "--confirm", "gamma")
    wait_for("it left", lambda: here.ask() != "gamma")
    assert here.m["TTL"] == 10 and len(here.m["PATHWAY-PRIORITY"]) == 2
    assert there.ask() == "gamma" and there.m["TTL"] > 100
    s.ctl("blacklist", "remove", "gamma", "--confirm", "gamma")


def throughput_is_a_fact(s):
    """What players tell bears on the quality of that vendor in their group, by a twentieth at most."""
    def quality(vendor, ip="202.96.128.86"):
        rows = s.ctl("explain", "--ip", ip, "--host", "live.sluice.example")["vendors"]
        return next(r["quality"] for r in rows if r["vendor"] == vendor)

    crowd = [(Player(s, "/steer/live?ip=202.96.128.86&_told=%s" % v, v), bps)
             for v, bps in (("alpha", 900000000), ("beta", 2000))]

    def told():
        for p, bps in crowd:
            for _ in range(20):
                p.ask(bps)
        return quality("beta") < 0.99 * quality("alpha")
    assert quality("beta") == quality("alpha")
    wait_for("a lower quality", told)
    for _ in range(30):
        told()
    assert quality("beta") >= 0.949 * quality("alpha")
    assert quality("beta", "8.8.8.8") == quality("alpha", "8.8.8.8")


def leaves_are_counted(s):
    before = s.metric("sluice_steer_left_total")
    p = Player(s, "/steer/live?_told=alpha", "beta")
    assert p.ask() == "beta"
    wait_for("the counter", lambda: s.metric("sluice_steer_left_total") == before + 1)


def tags(s):
    """What sluicectl prints is what players are served by."""
    t = s.ctl("steer", "tags", "live", "--stream", "a b", "--door", "https://steer.example/")
    lines = t["hls"].splitlines()
    assert lines[0] == "#EXTM3U" and len(lines) == 8, lines
    assert lines[1].startswith('#EXT-X-CONTENT-STEERING:SERVER-URI="https://steer.example/steer/live?'
                               'pathways=alpha,beta,gamma",PATHWAY-ID="'), lines
    assert lines[3] == "https://live.alpha.example/a%20b/index.m3u8", lines
    assert lines[5] == "https://edge.beta.example:8443/a%20b/index.m3u8", lines
    ids = re.findall(r'PATHWAY-ID="(\w+)",STABLE-VARIANT-ID="main"', t["hls"])
    assert ids == ["alpha", "beta", "gamma"], ids
    mpd = xml.etree.ElementTree.fromstring("<MPD>" + t["dash"] + "</MPD>")
    assert [b.get("serviceLocation") for b in mpd.findall("BaseURL")] == ids
    assert mpd.findall("BaseURL")[1].text == "https://edge.beta.example:8443/a%20b/"
    steering = mpd.find("ContentSteering")
    assert steering.get("queryBeforeStart") == "true" and steering.get("defaultServiceLocation") in ids
    local = s.ctl("steer", "tags", "live")["hls"]
    assert "{stream}" in local
    url = re.search(r'SERVER-URI="http://127.0.0.1:%d(/[^"]*)"' % s.http, local).group(1)
    assert set(manifest(s, url)["PATHWAY-PRIORITY"]) == set(ids)
    assert s.ctl("steer", "tags", "nobody", ok=False)[0] == 1


def told_to_stop(s):
    assert ask(s, "/steer/shut")[0].status == 200
    s.write("catalog.yaml", catalog(steering="false"))
    s.ctl("reload")
    wait_for("410", lambda: ask(s, "/steer/shut")[0].status == 410)
    assert ask(s, "/steer/live")[0].status == 200


def all_behind_is_dead(s):
    crowd = [Player(s, "/steer/live?client=d%d" % i) for i in range(20)]
    start = [p.ask() for p in crowd]
    pids = s.pids()
    for role in ("control", "collect"):
        os.kill(pids[role], signal.SIGSTOP)
    try:
        assert [p.ask() for p in crowd] == start
        assert all(p.m["TTL"] > 100 and len(p.m["PATHWAY-PRIORITY"]) == 3 for p in crowd)
    finally:
        for role in ("control", "collect"):
            os.kill(pids[role], signal.SIGCONT)


def the_door():
    s = Sluice(extra="http: {rate_per_s: 2}\n")
    s.write("catalog.yaml", catalog(8443))
    with s:
        for case in (as_a_browser_sees_it, never_429, tokens, clones, it_stays_and_follows, blacklisted_in_one_group,
                     throughput_is_a_fact, leaves_are_counted, tags, told_to_stop, all_behind_is_dead):
            case(s)


if __name__ == "__main__":
    run([the_door])
