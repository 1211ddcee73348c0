#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The doors that make URLs, and signed requests, on the real daemon: every signature is computed again
here, and a vendor of this test's own serves what is signed and refuses what is forged."""
import base64
import collections
import hashlib
import hmac
import http.client
import http.server
import json
import os
import socket
import ssl
import stat
import subprocess
import threading
import time
import urllib.parse

from sluice import BUILD, Sluice, free_port, run, wait_for

KEYS = {"alpha-1": "first of alpha", "alpha-2": "second of alpha", "gamma-1": "00112233445566778899aabbccddeeff",
        "app-1": "key of the app", "app-2": "next key of the app",
        "cf-1": subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True, text=True).stdout}

CATALOG = """
vendors:
  - {name: alpha, guaranteed_mbps: 8000, max_mbps: 14000, addresses: [{a: [192.0.2.11, 192.0.2.12]}]}
  - {name: beta, guaranteed_mbps: 6000, max_mbps: 16000, addresses: [{a: [198.51.100.11]}]}
  - {name: gamma, guaranteed_mbps: 3000, max_mbps: 9000, addresses: [{a: [203.0.113.11]}]}
nodes:
  - {name: gz-1, vendor: gamma, group: CN/GD/telecom, capacity_mbps: 100, a: [203.0.113.101, 203.0.113.102]}
  - {name: gz-2, vendor: gamma, group: CN/GD/telecom, capacity_mbps: 100, a: [203.0.113.103], aaaa: ["2001:db8::103"]}
signers:
  - {name: sign-alpha, scheme: wangsu, key: alpha-1, backup_key: alpha-2%s}
  - {name: sign-gamma, scheme: akamai, key: gamma-1}
  - {name: sign-push, scheme: tencent_live, key: alpha-1}
  - {name: sign-cf, scheme: cloudfront, key: cf-1, key_id: K2JCJMDEHXQW5F}
  - {name: sign-none, scheme: type_d, key: absent}
services:
  - name: live
    hosts: [live.sluice.example]
    refresh_s: 30
    vendors:
      - {vendor: alpha, cname: live.alpha.example., play_host: 127.0.0.1, play_port: %d, https: false, signer: sign-alpha}
      - {vendor: beta, cname: live.beta.example., https: false}
      - {vendor: gamma, cname: live.gamma.example., signer: sign-gamma}
    play:
      - {format: flv, definition: hd, path: "/live/{stream}_hd.flv"}
      - {format: hls, definition: hd, path: "/live/{stream}/index.m3u8"}
      - {format: flv, definition: sd, path: "/live/{stream}_sd.flv", validity_s: 60}
    ingest:
      - {name: north, unit: bj, url: "rtmp://push1.example/live/{stream}", signer: sign-push}
      - {name: north2, unit: bj, url: "rtmp://push2.example/live/{stream}"}
      - {name: south, unit: gz, url: "rtmp://push3.example/live/{stream}", validity_s: 600}
  - name: drill
    hosts: [drill.sluice.example]
    vendors: [{vendor: alpha}, {vendor: beta}, {vendor: gamma}]
  - name: cloud
    hosts: [cloud.sluice.example]
    vendors: [{vendor: alpha, cname: d1.cloudfront.example., signer: sign-cf}]
    play: [{format: hls, definition: hd, path: "/live/{stream}/index.m3u8"}]
  - name: shut
    hosts: [shut.sluice.example]
    vendors: [{vendor: alpha, cname: a.alpha.example., signer: sign-none}, {vendor: beta, cname: b.beta.example.}]
    play: [{format: flv, definition: hd, path: "/x/{stream}.flv"}]
    ingest:
      - {name: one, unit: bj, url: "rtmp://one.example/live/{stream}"}
      - {name: keyless, unit: gz, url: "rtmp://keyless.example/live/{stream}", signer: sign-none}
      - {name: two, unit: sh, url: "rtmp://two.example/live/{stream}"}
streams:
  - {name: derby, service: live, vendors: [alpha], encrypted: true, ingest: south}
  - {name: keyless, service: shut, vendors: [alpha], ingest: keyless}
zones:
  - {name: sluice.example, file: sluice.example.zone}
"""

ACCOUNTS = """keys: [%s, {name: absent, file: absent.key}]
accounts: [{name: app, key: app-1, backup_key: app-2, sign_replies: true}]
""" % ", ".join("{name: %s, file: %s.key}" % (k, k) for k in KEYS)


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


class Vendor(http.server.BaseHTTPRequestHandler):
    """Alpha's edge: plays what is signed with either key and not too old."""
    accepted = ("first of alpha", "second of alpha")

    def do_GET(self):  # pylint: disable=invalid-name
        url = urllib.parse.urlsplit(self.path)
        q = dict(urllib.parse.parse_qsl(url.query))
        good = any(q.get("wsSecret") == md5(k + url.path + q.get("wsTime", "")) for k in self.accepted)
        self.send_response(200 if good and int(q["wsTime"]) >= time.time() else 403)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"FLV")

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


edge = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
threading.Thread(target=edge.serve_forever, daemon=True).start()


def daemon(extra=""):
    s = Sluice(extra=ACCOUNTS + extra)
    s.write("catalog.yaml", CATALOG % ("", edge.server_address[1]))
    for name, secret in KEYS.items():
        s.write(name + ".key", secret + "\n")
    return s


def plain(s, target, headers=None, method="GET", body=None):
    c = http.client.HTTPConnection("127.0.0.1", s.http, timeout=60)
    c.request(method, target, body=body, headers=headers or {})
    r = c.getresponse()
    text = r.read()
    c.close()
    return r, text


def fetch(url):
    u = urllib.parse.urlsplit(url)
    c = http.client.HTTPConnection(u.hostname, u.port, timeout=60)
    c.request("GET", u.path + "?" + u.query)
    status = c.getresponse().status
    c.close()
    return status


def by_vendor(answer):
    return {a["vendor"]: a["urls"] for a in answer["answers"]}


def play(s):
    status, body = s.get("/v1/play?host=live.sluice.example&stream=cup&client=c1")
    assert status == 200 and body["encrypted"] is False, (status, body)
    ways = by_vendor(body)
    assert set(ways) == {"alpha", "beta", "gamma"} and all(len(u) == 3 for u in ways.values()), ways
    now = time.time()
    for way in ways["alpha"]:
        u = urllib.parse.urlsplit(way["url"])
        q = dict(urllib.parse.parse_qsl(u.query))
        assert q["wsSecret"] == md5("first of alpha" + u.path + q["wsTime"]), way
        assert abs(int(q["wsTime"]) - now - way["expires_s"]) < 30, way
        assert fetch(way["url"]) == 200, way
        assert fetch(way["url"].replace("cup", "cap")) == 403, way
    assert {(w["format"], w["definition"], w["expires_s"]) for w in ways["alpha"]} == {
        ("flv", "hd", 300), ("hls", "hd", 21600), ("flv", "sd", 60)}
    assert ways["beta"][0]["url"] == "http://live.beta.example/live/cup_hd.flv", ways["beta"]
    u = urllib.parse.urlsplit(ways["gamma"][0]["url"])
    token, mac = u.query[len("hdnts="):].split("~hmac=")
    assert u.scheme == "https" and "~acl=/live/*" in token
    assert mac == hmac.new(bytes.fromhex(KEYS["gamma-1"]), token.encode(), "sha256").hexdigest()


def play_limits(s):
    status, body = s.get("/v1/play?host=live.sluice.example&stream=derby&format=flv&definition=sd,hd")
    assert status == 200 and body["encrypted"] is True
    assert set(by_vendor(body)) == {"alpha"} and len(body["answers"][0]["urls"]) == 2, body
    status, body = s.get("/v1/play?host=live.sluice.example&stream=a%2Fb%20%22c&cur=beta&ranked=1")
    assert body["answers"][0]["urls"][0]["url"].endswith("/live/a%2Fb%20%22c_hd.flv"), body
    assert body["stream"] == 'a/b "c'
    for door in ("play", "publish"):  # any octets make a name; the reply is JSON all the same
        body = s.get("/v1/%s?host=live.sluice.example&stream=%%ff%%c4%%e3%%E4%%BD%%A0" % door)[1]
        assert body["stream"] == "\ufffd\ufffd\ufffd\u4f60" and "/live/%FF%C4%E3%E4%BD%A0" in json.dumps(body), body
    for target, want in (("host=live.sluice.example", 400), ("stream=x", 400), ("host=x.example&stream=x", 404),
                         ("host=drill.sluice.example&stream=x", 404),
                         ("host=live.sluice.example&stream=x&format=avi", 400),
                         ("host=live.sluice.example&stream=x&format=flv&format=hls", 400),
                         ("host=live.sluice.example&stream=x&format=", 400),
                         ("host=live.sluice.example&stream=x&definition=hd&definition=sd", 400),
                         ("host=live.sluice.example&stream=x&format=dash", 404),  # not now nor later, so no 503
                         ("host=live.sluice.example&stream=x&definition=uhd", 404),
                         ("host=live.sluice.example&stream=x&format=hls&definition=sd", 404),
                         ("host=live.sluice.example&stream=x&format=DASH,flv", 200)):
        assert s.get("/v1/play?" + target)[0] == want, target


def own_nodes(s):
    """n lists nodes of ours by name; the stream decides which; without n there are addresses only."""
    target = "/v1/resolve?host=drill.sluice.example&ip=202.96.128.86&cur=gamma&ranked=1"
    plainly = s.get(target)[1]["answers"][0]
    assert "nodes" not in plainly and len(plainly["ips"]) > 1, plainly
    seen = set()
    for i in range(20):
        one = s.get(target + "&n=1&stream=s%d" % i)[1]["answers"][0]
        assert len(one["nodes"]) == 1 and one["nodes"][0]["ips"] == one["ips"], one
        assert one == s.get(target + "&n=1&stream=s%d" % i)[1]["answers"][0]
        seen.add(one["nodes"][0]["name"])
    assert seen == {"gz-1", "gz-2"}, seen
    both = s.get(target + "&n=2&type=AAAA&stream=x")[1]["answers"][0]
    assert len(both["nodes"]) == 2 and both["ips"] == ["2001:db8::103"], both
    elsewhere = s.get(target.replace("202.96.128.86", "8.8.8.8") + "&n=2")[1]["answers"][0]
    assert "nodes" not in elsewhere and elsewhere["ips"] == ["203.0.113.11"], elsewhere


def keys_missing(s):
    return any(a["alert"] == "keys-missing" and a["state"] == "firing" for a in s.ctl("alert", "list")["alerts"])


def a_missing_key_closes_its_doors_only(s):
    before = s.metric("sluice_http_unsigned_total")
    status, body = s.get("/v1/play?host=shut.sluice.example&stream=x")
    assert status == 200 and set(by_vendor(body)) == {"beta"}, body
    wait_for("the counter", lambda: s.metric("sluice_http_unsigned_total") > before)
    assert "keys.missing" in s.log() and "absent.key" in s.log()
    wait_for("the alert", lambda: keys_missing(s))
    for i in range(20):  # pushers go elsewhere, also where they avoid all there is
        for target in ("stream=s%d" % i, "stream=keyless", "stream=s%d&avoid=one,two" % i):
            status, body = s.get("/v1/publish?host=shut.sluice.example&" + target)
            assert status == 200 and {body["primary"]["name"], body["backup"]["name"]} == {"one", "two"}, body
            assert body["chosen"] == "by hash", body
    assert "first of alpha" not in s.log()
    path = os.path.join(s.state, "keys", "answer.blob")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o400


def decisions(s, service, vendor):
    return sum(s.metric("sluice_decisions_total", 'service="%s",vendor="%s",region="",kind="%s"' % (service, vendor, kind)) or 0
               for kind in ("new", "refresh", "move"))


def what_is_counted_is_what_was_given(s):
    """Of two vendors one has no key, so the other is given and counted, also where the session had the first."""
    before = {v: decisions(s, "shut", v) for v in ("alpha", "beta")}
    refused = s.metric("sluice_refused_sessions_total", 'service="shut"') or 0
    for i in range(10):
        for cur in ("", "&cur=alpha"):
            body = s.get("/v1/play?host=shut.sluice.example&stream=x&client=c%d%s" % (i, cur))[1]
            assert set(by_vendor(body)) == {"beta"}, body
        r, _ = plain(s, "/x.flv", {"Host": "shut.sluice.example", "X-Forwarded-For": "10.%d.0.2" % i})
        assert r.getheader("Location") == "https://b.beta.example/x.flv", r.getheader("Location")
        status, body = s.get("/v1/play?host=shut.sluice.example&stream=keyless")
        assert status == 503 and body["error"]["code"] == "no_url", body
    wait_for("30 for beta", lambda: decisions(s, "shut", "beta") == before["beta"] + 30)
    assert decisions(s, "shut", "alpha") == before["alpha"], "counted for a vendor that nobody was given"
    assert s.metric("sluice_refused_sessions_total", 'service="shut"') == refused + 10


def redirects(s):
    target = "/live/x.flv?a=1&b=%20"
    seen = collections.Counter()
    for i in range(30):
        r, body = plain(s, target, {"Host": "LIVE.sluice.example:80", "X-Forwarded-For": "10.%d.0.1" % i})
        where = urllib.parse.urlsplit(r.getheader("Location"))
        assert r.status == 302 and body == b"" and r.getheader("Cache-Control") == "no-store", r.status
        assert where.path == "/live/x.flv" and where.query.startswith("a=1&b=%20"), where
        assert where.netloc in ("127.0.0.1:%d" % edge.server_address[1], "live.beta.example",
                                "live.gamma.example"), where
        seen[where.netloc] += 1
        if where.hostname == "127.0.0.1":
            assert fetch(r.getheader("Location")) == 200
    assert len(seen) > 1, seen
    r, _ = plain(s, "//evil.example/x", {"Host": "live.sluice.example"})
    assert r.status == 302 and urllib.parse.urlsplit(r.getheader("Location")).netloc != "evil.example"
    r, _ = plain(s, "/x", {"Host": "drill.sluice.example"})
    assert r.status == 302 and r.getheader("Location").endswith("/x"), r.getheader("Location")
    for host, path in (("evil.example", "/x"), ("live.beta.example", "/x"), ("live.sluice.example", "/v1/nothing")):
        assert plain(s, path, {"Host": host})[0].status == 404, host


def by_private_key(s):
    """CloudFront's canned policy over the whole URL, verified by openssl with the public key."""
    private, public, policy, mac = (os.path.join(s.state, n) for n in ("cf.pem", "cf.pub", "policy", "mac"))
    s.write(private, KEYS["cf-1"])
    subprocess.run(["openssl", "rsa", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)

    def verified(url):
        before, _, rest = url.partition("Expires=")
        until, signature, key = (p.split("=")[-1] for p in rest.split("&"))
        s.write(policy, '{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%s}}}]}' %
                (before[:-1], until))
        with open(mac, "wb") as f:
            f.write(base64.b64decode(signature.translate(str.maketrans("-_~", "+=/"))))
        done = subprocess.run(["openssl", "dgst", "-sha1", "-verify", public, "-signature", mac, policy],
                              check=False, capture_output=True)
        return done.returncode == 0 and key == "K2JCJMDEHXQW5F" and int(until) % 60 == 0

    url = s.get("/v1/play?host=cloud.sluice.example&stream=cup")[1]["answers"][0]["urls"][0]["url"]
    assert url.startswith("https://d1.cloudfront.example/live/cup/index.m3u8?Expires=") and verified(url), url
    assert not verified(url.replace("/cup/", "/cap/")), url
    r, _ = plain(s, "/live/a.ts?x=1&y=2", {"Host": "cloud.sluice.example"})
    assert r.status == 302 and "?x=1&y=2&Expires=" in r.getheader("Location") and verified(r.getheader("Location"))
    for path in ("/*", "/a%22}]}", "/live/x?y=*"):  # a signature over a pattern would be one over everything
        r, _ = plain(s, path.replace("%22", '"'), {"Host": "cloud.sluice.example"})
        assert r.status == 503, (path, r.status)


def publishes(s):
    firsts = collections.Counter()
    for i in range(40):
        status, body = s.get("/v1/publish?host=live.sluice.example&stream=s%d" % i)
        assert status == 200 and body["primary"]["unit"] != body["backup"]["unit"], body
        firsts[body["primary"]["name"]] += 1
        again = s.get("/v1/publish?host=live.sluice.example&stream=s%d&avoid=%s" % (i, body["primary"]["name"]))[1]
        assert again["primary"]["name"] != body["primary"]["name"], again
    assert set(firsts) == {"north", "north2", "south"}, firsts
    status, body = s.get("/v1/publish?host=live.sluice.example&stream=derby")
    assert body["primary"]["name"] == "south" and body["chosen"] == "by name", body
    body = s.get("/v1/publish?host=live.sluice.example&stream=derby&avoid=south")[1]
    assert body["primary"]["unit"] == "bj" and body["backup"]["name"] == "south" and body["chosen"] == "by hash", body
    for point in ("north", "south"):  # an operator's switch, on a stream that the catalogue does not name
        s.ctl("stream", "ingest", "s1", point, "--service", "live", "--why", "test")
        body = wait_for("s1 at " + point, lambda: next((b for b in [s.get(
            "/v1/publish?host=live.sluice.example&stream=s1")[1]]
                                                           if (b["primary"]["name"], b["chosen"]) == (point, "by name")), None))
        assert body["backup"]["unit"] != body["primary"]["unit"], body
    s.ctl("stream", "ingest", "derby", "other", "--service", "live", "--why", "test")
    wait_for("main and backup have changed places", lambda: s.get(
        "/v1/publish?host=live.sluice.example&stream=derby")[1]["primary"]["unit"] == "bj")
    s.ctl("stream", "ingest", "derby", "south", "--service", "live", "--why", "test")
    wait_for("and back", lambda: s.get(
        "/v1/publish?host=live.sluice.example&stream=derby")[1]["primary"]["name"] == "south")
    signed = next(b for b in (s.get("/v1/publish?host=live.sluice.example&stream=t%d" % i)[1]["primary"]
                              for i in range(50)) if b["name"] == "north")
    u = urllib.parse.urlsplit(signed["url"])
    q = dict(urllib.parse.parse_qsl(u.query))
    stream = u.path.rsplit("/", 1)[1]
    assert q["txSecret"] == md5("first of alpha" + stream + q["txTime"]), signed
    assert s.get("/v1/publish?host=drill.sluice.example&stream=x")[0] == 404
    assert s.get("/v1/publish?host=live.sluice.example")[0] == 400


def fallback(s):
    status, body = s.get("/v1/fallback?host=live.sluice.example&ip=202.96.128.86")
    assert status == 200 and [v["vendor"] for v in body["vendors"]] == ["alpha", "beta", "gamma"], body
    assert body["vendors"][1]["domain"] == "live.beta.example"
    assert set(body["ratios_ppm"]) == {body["group"], body["default_group"]}
    assert all(sum(r) == 1000000 for r in body["ratios_ppm"].values()), body
    every = s.get("/v1/fallback?host=live.sluice.example&all=1")[1]["ratios_ppm"]
    assert len(every) > 2 and all(len(r) == 3 for r in every.values()), every
    for all_of in ("all=1&all=1", "all=2", "all="):
        assert s.get("/v1/fallback?host=live.sluice.example&" + all_of)[0] == 400, all_of


def sign(method, target, secret, body="", off=0):
    target += "&account=app&t=%d" % (time.time() + off)
    mac = hmac.new(secret.encode(), ("%s %s\n%s" % (method, target, body)).encode(), "sha256").hexdigest()
    return target + "&sign=" + mac


def signed_requests(s):
    base = "/v1/resolve?host=live.sluice.example&client=%C3%A9"
    for key in ("app-1", "app-2"):
        target = sign("GET", base, KEYS[key])
        r, body = plain(s, target)
        assert r.status == 200, body
        when = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)["t"][0]
        mac = hmac.new(KEYS[key].encode(), when.encode() + b"\n" + body, "sha256").hexdigest()
        assert r.getheader("X-Sluice-Signature") == mac
    assert plain(s, sign("HEAD", base, KEYS["app-1"]), method="HEAD")[0].status == 200
    assert plain(s, sign("GET", base, KEYS["app-1"]), method="HEAD")[0].status == 403
    posted = json.dumps({"host": "live.sluice.example", "requests": [{"client": "a"}]})
    target = sign("POST", "/v1/resolve?x=1", KEYS["app-1"], posted)
    assert plain(s, target, method="POST", body=posted)[0].status == 200
    assert plain(s, target, method="POST", body=posted + " ")[0].status == 403
    for target, code in ((sign("GET", base, "wrong"), "bad_signature"),
                         (sign("GET", base, KEYS["app-1"]) + "&cur=beta", "bad_signature"),
                         (sign("GET", base, KEYS["app-1"], off=-400), "signature_expired"),
                         (base + "&account=nobody&t=1&sign=00", "unknown_account")):
        r, body = plain(s, target)
        assert r.status == 403 and json.loads(body)["error"]["code"] == code, (target, body)
    r, _ = plain(s, base)
    assert r.status == 200 and not r.getheader("X-Sluice-Signature")


def the_doors():
    with daemon() as s:
        for case in (own_nodes, play, play_limits, a_missing_key_closes_its_doors_only,
                     what_is_counted_is_what_was_given, redirects, by_private_key,
                     publishes, fallback, signed_requests):
            case(s)


def keys_change_without_a_restart():
    with daemon("require_signature: true\n") as s:
        target = "/v1/play?host=live.sluice.example&stream=cup&cur=alpha&ranked=1"
        assert s.get(target)[0] == 403
        r, body = plain(s, sign("GET", target, KEYS["app-1"]))
        assert r.status == 200, body
        s.write("app-1.key", "another key")
        s.write("catalog.yaml", CATALOG % (", use_backup: true", edge.server_address[1]))
        s.ctl("reload")
        wait_for("the new key", lambda: plain(s, sign("GET", target, "another key"))[0].status == 200)
        assert plain(s, sign("GET", target, KEYS["app-1"]))[0].status == 403

        def by_second_key():
            url = json.loads(plain(s, sign("GET", target, "another key"))[1])["answers"][0]["urls"][0]["url"]
            u = urllib.parse.urlsplit(url)
            q = dict(urllib.parse.parse_qsl(u.query))
            return q["wsSecret"] == md5("second of alpha" + u.path + q["wsTime"]) and fetch(url) == 200
        wait_for("URLs by the second key", by_second_key)
        s.write("absent.key", "here it is")
        s.ctl("reload")
        wait_for("no alert", lambda: not keys_missing(s))
        assert plain(s, "/x.flv", {"Host": "live.sluice.example"})[0].status == 302  # a browser cannot sign


def rules_of_access():
    """Addresses, groups and accounts that may not ask, or not so often; changed without a restart. The test's
    own address is a trusted proxy, and has no limit itself."""
    target = "/v1/resolve?host=live.sluice.example&client=x"

    def ask(ip, path=target):
        return plain(s, path, {"X-Forwarded-For": ip})[0].status

    def burst(ip, make=lambda: target):
        replies = [plain(s, make(), {"X-Forwarded-For": ip})[0] for _ in range(60)]
        late = [r for r in replies if r.status == 429]
        assert all(r.getheader("Retry-After") == "1" for r in late)
        return len(late), collections.Counter(r.status for r in replies)

    s = daemon("http: {deny: [203.0.113.0/24, 2001:db8::/32], quotas: [{groups: [CN/GD/telecom], rate_per_s: 1}, "
               "{groups: [CN/BJ], rate_per_s: 0}]}\n")
    s.write("sluice.yaml", s.read("sluice.yaml").replace("sign_replies: true", "sign_replies: true, rate_per_s: 1"))
    with s:
        wait_for("the rules", lambda: ask("203.0.113.7") == 403)
        for ip, want in (("203.0.112.255", 200), ("203.0.113.255", 403), ("203.0.114.0", 200), ("2001:db8:ffff::1", 403),
                         ("2001:db9::", 200), ("::ffff:203.0.113.7", 403)):
            assert ask(ip) == want, ip
        group = s.get("/v1/resolve?host=live.sluice.example&ip=202.96.128.86")[1]["group"]
        assert group == "CN/GD/telecom", group
        refused, seen = burst("202.96.128.86")
        assert 20 < refused <= 58 and seen[200] >= 2, seen
        assert burst("198.51.100.1")[0] == 0 and burst("127.0.0.1")[0] == 0
        assert burst("202.96.128.86", lambda: "/steer/live?_HLS_pathway=alpha")[0] == 0  # a player would give up
        refused, seen = burst("198.51.100.1", lambda: sign("GET", target, KEYS["app-1"]))
        assert 20 < refused <= 58 and seen[200] >= 2, seen
        assert burst("127.0.0.1", lambda: sign("GET", target, KEYS["app-1"]))[0] == 0
        wait_for("they are counted", lambda: s.metric("sluice_http_limited_total", 'by="group"') > 20 and
                 s.metric("sluice_http_limited_total", 'by="account"') > 20)
        beijing = "61.135.1.1"
        assert s.get("/v1/resolve?host=live.sluice.example&ip=" + beijing)[1]["group"] == "CN/BJ/unicom"
        assert ask(beijing) == 403
        s.write("sluice.yaml", s.read("sluice.yaml").replace("deny: [203.0.113.0/24, 2001:db8::/32]",
                                                             "allow: [203.0.113.0/24, 127.0.0.0/8]").replace(
            "rate_per_s: 1}", "rate_per_s: 1000}"))
        s.ctl("reload")
        wait_for("the other rules", lambda: ask("203.0.113.7") == 200 and ask("203.0.112.255") == 403)


def bodies():
    """As large as the configuration says, and not an octet more."""
    with daemon("http: {batch_octets: 5000}\nreports: {batch_octets: 6000, log_octets: 7000}\n") as s:
        for port, path, limit in ((s.http, "/v1/resolve", 5000), (s.reports, "/v1/qos", 6000), (s.reports, "/v1/logs", 7000),
                                  (s.reports, "/v1/cmcd", 6000), (s.http, "/d", 4096)):
            for size in (limit, limit + 1):
                c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                c.request("POST", path, body=b'{"host":"live.sluice.example","reports":[]}'.ljust(size))
                r = c.getresponse()
                assert (r.status == 413) == (size > limit), (path, size, r.status, r.read())
                c.close()


def https():
    """TLS beside plain HTTP; a new certificate is taken while it runs, a bad one is not."""
    s = daemon("http: {certificate: cert.pem, key: key.pem, rate_per_s: 100000}\n")
    taken = {s.dns, s.http, s.reports, s.admin}
    while len(taken) < 4 + 31:
        taken.add(free_port())
    free = sorted(taken - {s.dns, s.http, s.reports, s.admin})
    ports, more = free[:16], free[16:]  # as many as there may be, and with the one as many without TLS
    port = ports[0]
    s.write("sluice.yaml", s.read("sluice.yaml").replace("listen: {", "listen: {https: [%s], " % ", ".join(
        '"127.0.0.1:%d"' % p for p in ports)).replace("http: [", "http: [" + "".join(
            '"127.0.0.1:%d", ' % p for p in more)))

    def certificate(name, key_last=False):
        made = [os.path.join(s.dir, n + ".new") for n in ("cert.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name,
                        "-keyout", made[1], "-out", made[0]], check=True, capture_output=True)
        for path in made if key_last else made[::-1]:
            refused = s.log().count("tls.refused") if s.process else 0
            os.rename(path, path[:-4])
            if key_last and path == made[0]:
                wait_for("half of it is refused", lambda: s.log().count("tls.refused") > refused)

    def over_tls(name, port=port):
        context = ssl.create_default_context(cafile=os.path.join(s.dir, "cert.pem"))
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as plainly:
                with context.wrap_socket(plainly, server_hostname=name) as c:
                    c.sendall(b"GET /v1/resolve?host=live.sluice.example HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    return b"".join(iter(lambda: c.recv(65536), b""))
        except ssl.SSLCertVerificationError:
            return b""

    certificate("one.example")
    with s:
        reply = over_tls("one.example")
        assert reply.startswith(b"HTTP/1.1 200") and b'"answers"' in reply, reply
        assert all(s.probe(p) for p in more) and all(b"200 OK" in over_tls("one.example", p) for p in ports)
        certificate("two.example")
        wait_for("the new certificate", lambda: b"200 OK" in over_tls("two.example"))
        for more in ([], ["--close"]):
            out = subprocess.run([os.path.join(BUILD, "sluice-bench"), "--http", "https://127.0.0.1:%d/v1/resolve?"
                                  "host=live.sluice.example&client={n}" % port, "--count", "200", "--seconds", "120", "--connections", "8",
                                  "--json", *more], check=True, capture_output=True, text=True).stdout
            loaded = json.loads(out)
            assert loaded["answered"] == 200 and not loaded["errors"] and loaded["status"] == {"2xx": 200}, loaded
        key = s.read("key.pem")
        certificate("three.example", key_last=True)  # the two do not fit for a while
        wait_for("the newest certificate", lambda: b"200 OK" in over_tls("three.example"))
        assert s.read("key.pem") != key
        good = s.read("cert.pem")
        refused = s.log().count("tls.refused")
        s.write("cert.pem", "nothing")
        wait_for("its refusal", lambda: s.log().count("tls.refused") > refused)
        s.write("cert.pem", good)
        assert b"200 OK" in over_tls("three.example")


if __name__ == "__main__":
    run([the_doors, keys_change_without_a_restart, rules_of_access, bodies, https])
