#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The dialects of other HTTPDNS services on the real daemon. Requests are built and replies read by
clients of this file's own, as the services' SDKs do it: hashlib and hmac sign, the `cryptography`
package seals. Each of them in each of its modes: good, expired, forged, replayed, oversized."""
import base64
import collections
import hashlib
import hmac
import http.client
import json
import os
import re
import time
import urllib.parse

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sluice import Sluice, run, wait_for

HOST = "drill.sluice.example"
CLIENT = "202.96.128.86"
OF_VENDOR = {"192.0.2": "alpha", "198.51.100": "beta", "203.0.113": "gamma"}

SECRETS = {"sign": "IAmASecret", "next": "AnotherOne", "hex": "00112233445566778899aabbccddeeff",
           "hexnext": "ffeeddccbbaa99887766554433221100", "aes": "000102030405060708090a0b0c0d0e0f",
           "word": "short key", "des": "12345678", "tok": "800654663"}
ACCOUNTS = """keys: [%s]
accounts:
  - {name: "100000", key: sign, backup_key: next}
  - {name: "200000", key: hex, backup_key: hexnext, aes_key: aes}
  - {name: "300", key: sign, aes_key: word, des_key: des, token_key: tok}
  - {name: "400", key: sign}
""" % ", ".join("{name: %s, file: %s.key}" % (k, k) for k in SECRETS)


def daemon(extra="", rate=""):
    s = Sluice(extra=ACCOUNTS.replace("}\n", rate + "}\n") + extra)
    for name, secret in SECRETS.items():
        s.write(name + ".key", secret + "\n")
    return s


def daemon_of(catalog):
    s = daemon()
    s.write("catalog.yaml", catalog)
    return s


def ask(s, path, params=None, method="GET", headers=None, body=None):
    """(status, text)"""
    query = urllib.parse.urlencode(params, safe=",") if params else ""
    c = http.client.HTTPConnection("127.0.0.1", s.http, timeout=60)
    c.request(method, path + ("?" + query if query else ""), body=body, headers=headers or {})
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, text


def refused(s, path, params, status, code, word="code"):
    got = ask(s, path, params)
    assert got[0] == status and json.loads(got[1])[word] == code, (path, params, got)


def vendor(ips):
    """Of whom these addresses are; they are of one vendor."""
    names = {OF_VENDOR[ip.rsplit(".", 1)[0]] for ip in ips}
    assert len(names) == 1, ips
    return names.pop()


def usual(s, client=CLIENT, host=HOST):
    """What /v1/resolve says first to this client."""
    return s.resolve(host, ip=client)["answers"][0]["vendor"]


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def flip(text, at):
    return text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1:]


def pad(octets, block):
    p = padding.PKCS7(block * 8).padder()
    return p.update(octets) + p.finalize()


def unpad(octets, block):
    p = padding.PKCS7(block * 8).unpadder()
    return p.update(octets) + p.finalize()


def aes_cbc(key, plain):
    iv = os.urandom(16)
    e = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return iv + e.update(pad(plain, 16)) + e.finalize()


def aes_cbc_open(key, sealed):
    d = Cipher(algorithms.AES(key), modes.CBC(sealed[:16])).decryptor()
    return unpad(d.update(sealed[16:]) + d.finalize(), 16)


def aes_gcm(key, plain):
    iv = os.urandom(12)
    return iv + AESGCM(key).encrypt(iv, plain, None)


def aes_gcm_open(key, sealed):
    return AESGCM(key).decrypt(sealed[:12], sealed[12:], None)


def des_ecb(key, plain):
    e = Cipher(algorithms.TripleDES(key), modes.ECB()).encryptor()
    return e.update(pad(plain, 8)) + e.finalize()


def des_ecb_open(key, sealed):
    d = Cipher(algorithms.TripleDES(key), modes.ECB()).decryptor()
    return unpad(d.update(sealed) + d.finalize(), 8)


def counted(s, kind):
    return s.metric("sluice_decisions_total", 'kind="%s"' % kind)


def fresh_client():
    """An address that nobody has asked for yet; its answers count as refreshes for a TTL after the first."""
    fresh_client.n += 1
    return "198.18.%d.1" % fresh_client.n


fresh_client.n = 0


def is_no_new_dispatch(s, again):
    """A request that has been answered before takes nothing from a budget when it comes again."""
    again()
    before = counted(s, "new"), counted(s, "refresh")
    for _ in range(10):
        again()
    wait_for("ten refreshes", lambda: counted(s, "refresh") >= before[1] + 10)
    assert counted(s, "new") == before[0], (before, counted(s, "new"))


# ---- Aliyun, version 1

def v1(hosts, door="sign_d", secret="IAmASecret", ahead=1800, account="100000", **more):
    t = str(int(time.time()) + ahead)
    return "/%s/%s" % (account, door), dict(host=hosts, t=t, s=md5("%s-%s-%s" % (hosts, secret, t)), **more)


def aliyun_v1(s):
    for path, params in (("/100000/d", {"host": HOST, "ip": CLIENT}), v1(HOST, ip=CLIENT),
                         v1(HOST, secret="AnotherOne", ip=CLIENT, platform="android", sid="abcdefghijkl")):
        status, text = ask(s, path, params)
        reply = json.loads(text)
        assert status == 200 and reply["host"] == HOST and reply["client_ip"] == CLIENT, text
        assert reply["ttl"] == reply["origin_ttl"] == 20 and "ipsv6" not in reply and "extra" not in reply
        assert vendor(reply["ips"]) == usual(s), text
    reply = json.loads(ask(s, *v1(HOST, query="4,6", **{"sdns-cur": "gamma"}))[1])
    assert vendor(reply["ips"]) == "gamma" and reply["ipsv6"] == [], reply
    assert json.loads(reply["extra"].replace("&quot;", '"')) == {"vendor": "gamma"}
    hosts = HOST + ",live.sluice.example,nowhere.example"
    reply = json.loads(ask(s, *v1(hosts, "sign_resolve", ip=CLIENT))[1])["dns"]
    assert [e["host"] for e in reply] == hosts.split(",") and {e["type"] for e in reply} == {1}
    assert vendor(reply[0]["ips"]) == usual(s) and reply[2]["ips"] == []
    status, text = ask(s, "/100000/ss", {"region": "cn"})
    assert status == 200 and json.loads(text)["service_ip"] == ["127.0.0.1"], text
    t = str(int(time.time()) + 60)
    assert ask(s, "/100000/ss", {"n": "0123456789ab", "t": t, "s": md5("0123456789ab-IAmASecret-" + t)})[0] == 200

    refused(s, *v1(HOST, ahead=-1), 403, "SignatureExpired")
    refused(s, *v1(HOST, ahead=86500), 400, "InvalidDuration")
    refused(s, *v1(HOST, secret="guess"), 403, "InvalidSignature")
    refused(s, *v1(HOST, account="200000"), 403, "InvalidSignature")
    refused(s, *v1(HOST, account="nobody"), 403, "InvalidAccount")
    path, params = v1(HOST)
    for key, value in (("host", "live.sluice.example"), ("t", str(int(params["t"]) + 1)), ("s", flip(params["s"], 9)),
                       ("s", params["s"].upper()), ("s", params["s"][:-1])):
        refused(s, path, dict(params, **{key: value}), 403, "InvalidSignature")
    refused(s, "/100000/ss", {"n": "0123456789ab", "t": t, "s": md5("0123456789ac-IAmASecret-" + t)}, 403,
            "InvalidSignature")

    path, params = v1(HOST, ip=fresh_client())
    is_no_new_dispatch(s, lambda: ask(s, path, params))
    path, params = v1(HOST, ahead=2)
    assert ask(s, path, params)[0] == 200
    wait_for("its end", lambda: ask(s, path, params)[0] == 403)
    refused(s, path, params, 403, "SignatureExpired")

    refused(s, *v1("a,b"), 400, "TooManyHosts")
    refused(s, *v1("a,b,c,d,e,f", "sign_resolve"), 400, "TooManyHosts")
    refused(s, *v1("a" * 3000), 400, "InvalidHost")
    assert ask(s, *v1("a" * 4500))[0] == 414
    assert ask(s, "/100000/d", {"host": HOST}, "POST", body="x" * 4096)[0] == 405
    assert ask(s, "/100000/d", {"host": HOST}, "POST", body="x" * 4097)[0] == 413
    status, text = ask(s, "/100000/d", {"host": HOST}, "DELETE")
    assert status == 405 and json.loads(text) == {"code": "MethodNotAllowed"}


# ---- Aliyun, version 2

AES = bytes.fromhex(SECRETS["aes"])
SEAL = {1: (aes_cbc, aes_cbc_open), 2: (aes_gcm, aes_gcm_open)}


def v2(asked, mode, ahead=600, secret=SECRETS["hex"], key=AES, sign=True, account="200000", **more):
    params = dict(id=account, m=str(mode), v="1.0", **more)
    if mode:
        params["enc"] = SEAL[mode][0](key, json.dumps(asked).encode()).hex()
    else:
        params.update(asked)
    if sign:
        params["exp"] = str(int(time.time()) + ahead)
        text = "&".join("%s=%s" % (k, params[k]) for k in sorted(params) if params[k])
        params["s"] = hmac.new(bytes.fromhex(secret), text.encode(), "sha256").hexdigest()
    return dict(params, sdk="android_2.6.5", sid="abcdefghijkl")


def v2_read(status, text):
    assert status == 200, text
    reply = json.loads(text)
    assert reply["code"] == "success", text
    if reply["mode"]:
        return json.loads(SEAL[reply["mode"]][1](AES, base64.b64decode(reply["data"], validate=True)))
    return reply["data"]


def aliyun_v2(s):
    for mode in (0, 1, 2):
        for sign in (True, False):
            asked = {"dn": HOST + ",nowhere.example", "q": "4,6", "sdns-cur": "beta", "tags": "t"}
            data = v2_read(*ask(s, "/v2/d", v2(asked, mode, sign=sign, cip=CLIENT)))
            assert data["cip"] == CLIENT and [a["dn"] for a in data["answers"]] == [HOST, "nowhere.example"], data
            first, second = data["answers"]
            assert vendor(first["v4"]["ips"]) == "beta" and first["v4"]["ttl"] == 20
            assert first["v6"]["no_ip_code"] == "RRNotExist" and second["v4"]["no_ip_code"] == "DomainNotExist"
            data = v2_read(*ask(s, "/v2/d", v2({"dn": HOST}, mode, sign=sign, cip=CLIENT)))
            assert vendor(data["answers"][0]["v4"]["ips"]) == usual(s) and "v6" not in data["answers"][0]
        assert ask(s, "/v2/d", v2({"dn": HOST}, mode, secret=SECRETS["hexnext"]))[0] == 200

        refused(s, "/v2/d", v2({"dn": HOST}, mode, ahead=-1), 403, "SignatureExpired")
        refused(s, "/v2/d", v2({"dn": HOST}, mode, ahead=86500), 400, "InvalidDuration")
        refused(s, "/v2/d", v2({"dn": HOST}, mode, secret="00" * 16), 403, "InvalidSignature")
        refused(s, "/v2/d", v2({"dn": HOST}, mode, account="100000"), 403, "InvalidSignature")
        refused(s, "/v2/d", v2({"dn": HOST}, mode, account="1"), 403, "InvalidAccount")
        params = v2({"dn": HOST, "q": "4"}, mode, cip=CLIENT)
        for key in ("exp", "cip", "enc" if mode else "dn"):
            other = flip(params[key], len(params[key]) // 2)
            refused(s, "/v2/d", dict(params, **{key: other}), 403, "InvalidSignature")
        refused(s, "/v2/d", dict(params, **{"sdns-cur": "alpha"}), 403, "InvalidSignature")

        params = v2({"dn": HOST, "q": "4"}, mode, cip=fresh_client())
        once = ask(s, "/v2/d", params)
        is_no_new_dispatch(s, lambda: v2_read(*ask(s, "/v2/d", params)))
        assert (ask(s, "/v2/d", params) == once) == (mode == 0), "a fresh IV"

        assert len(v2_read(*ask(s, "/v2/d", v2({"dn": "a,b,c,d,e"}, mode)))["answers"]) == 5
        refused(s, "/v2/d", v2({"dn": "a,b,c,d,e,f"}, mode), 400, "TooManyHosts")
        refused(s, "/v2/d", v2({"dn": "a" * 64 + ".example"}, mode), 400, "InvalidHost")
        assert ask(s, "/v2/d", v2({"dn": "a" * 4500}, mode))[0] == 414
        custom = {"dn": HOST, "sdns-x": "v" * 995}
        refused(s, "/v2/d", v2(custom, mode), 403 if mode else 400, "InvalidSignature" if mode else "MissingArgument")
    short = [v2({"dn": HOST}, mode, ahead=2) for mode in (0, 1, 2)]
    assert [ask(s, "/v2/d", p)[0] for p in short] == [200] * 3
    wait_for("their end", lambda: [ask(s, "/v2/d", p)[0] for p in short] == [403] * 3)
    for mode in (1, 2):  # unsigned, so the cipher alone has to tell
        refused(s, "/v2/d", v2({"dn": HOST}, mode, key=b"k" * 16, sign=False), 403, "InvalidSignature")
        params = v2({"dn": HOST}, mode, sign=False)
        for at in (0, len(params["enc"]) // 2, len(params["enc"]) - 1):
            status, text = ask(s, "/v2/d", dict(params, enc=flip(params["enc"], at)))
            code = json.loads(text)["code"]
            assert code in (("InvalidSignature",) if mode == 2 else ("InvalidSignature", "MissingArgument", "success")), text
        refused(s, "/v2/d", dict(params, enc=params["enc"][:-2]), 403, "InvalidSignature")
        refused(s, "/v2/d", dict(params, enc=""), 403, "InvalidSignature")


# ---- Tencent

class Tencent:
    """alg: aes or des under account 300, token, or None for the plain form."""
    PARSE = re.compile(r"(?:(.*)\.:)?([^,|]*)(?:,(\d+))?(?:\|(.*))?$")

    def __init__(self, alg, key=None):
        self.alg = alg
        self.key = key or {"aes": b"short key".ljust(16, b"0"), "des": b"12345678"}.get(alg)

    def seal(self, text):
        if self.alg in ("aes", "des"):
            return (aes_cbc if self.alg == "aes" else des_ecb)(self.key, text.encode()).hex()
        return text

    def open(self, text):
        if self.alg in ("aes", "des"):
            return (aes_cbc_open if self.alg == "aes" else des_ecb_open)(self.key, bytes.fromhex(text)).decode()
        return text

    def params(self, dn, ip=None, **more):
        p = dict({"aes": {"id": "300", "alg": "aes"}, "des": {"id": "300", "alg": "des"},
                  "token": {"token": "800654663"}, None: {}}[self.alg], dn=self.seal(dn), **more)
        if ip:
            p["ip"] = self.seal(ip)
        return p

    def ask(self, s, params, **more):
        status, text = ask(s, "/d", params, **more)
        assert status == 200, (params, status, text)
        return self.open(text)

    def lines(self, text):
        return [self.PARSE.match(line).groups() for line in text.split("\n")]


def tencent(s):
    for alg in (None, "token", "aes", "des"):
        t = Tencent(alg)
        text = t.ask(s, t.params(HOST, CLIENT, ttl="1", clientip="1"))
        (name, ips, ttl, client), = t.lines(text)
        assert (name, ttl, client) == (None, "20", CLIENT) and vendor(ips.split(";")) == usual(s), text
        assert vendor(t.ask(s, t.params(HOST), method="POST").split(";")) == usual(s, "127.0.0.1")
        text = t.ask(s, t.params(HOST + ",nowhere.example", CLIENT, ttl="1", clientip="1"))
        first, second = t.lines(text)
        assert first[0] == HOST and vendor(first[1].split(";")) == usual(s) and first[3] == CLIENT, text
        assert second == ("nowhere.example", "0", None, CLIENT), text
        v4, v6 = t.ask(s, t.params(HOST, type="addrs", ttl="1")).split("-")
        assert vendor(v4.split(",")[0].split(";")) and v6 == "0"
        assert t.ask(s, t.params("nowhere.example", ttl="1")) == ""
        conf = t.open(ask(s, "/conf", {k: v for k, v in t.params("x").items() if k != "dn"})[1])
        assert dict(p.split(":", 1) for p in conf.split("|")) == {
            "log": "0", "domain": "0", "ip": "127.0.0.1", "ttl": "60"}, conf

        params = t.params(HOST, fresh_client())
        is_no_new_dispatch(s, lambda p=params, c=t: c.ask(s, p))
        assert len(t.lines(t.ask(s, t.params(",".join("abcdefghij"))))) == 10
        assert t.ask(s, t.params(",".join("abcdefghijk"))) == ""
        assert t.ask(s, t.params("a" * 1000)) == ""
        assert ask(s, "/d", t.params("a" * 4500))[0] == 414
        assert ask(s, "/d", t.params(HOST), "POST", body="x" * 5000)[0] == 413
        assert ask(s, "/d", t.params(HOST), "PUT")[0] == 501
    for alg in ("aes", "des"):
        t, forger = Tencent(alg), Tencent(alg, b"wrong!!!" * (2 if alg == "aes" else 1))
        assert t.open(ask(s, "/d", forger.params(HOST))[1]) == "", "another key opens nothing"
        params = t.params(HOST)
        for at in range(0, len(params["dn"]), 5):
            text = t.ask(s, dict(params, dn=flip(params["dn"], at)))
            assert text == "" or alg == "aes", (at, text)  # its IV is not guarded
        assert ask(s, "/d", dict(params, id="400"))[0] == 404
        assert ask(s, "/d", dict(params, id="nobody"))[0] == 404
        replies = {ask(s, "/d", params)[1] for _ in range(5)}
        assert len(replies) == (5 if alg == "aes" else 1), "a fresh IV"
    assert ask(s, "/d", {"token": "800654664", "dn": HOST})[0] == 404
    assert ask(s, "/conf", {"token": ""})[0] == 200 and ask(s, "/conf", {"id": "nobody"})[0] == 404


# ---- Baidu

def baidu_params(what, secret="IAmASecret", ahead=300, account="100000", kind="dn", **more):
    t = str(int(time.time()) + ahead)
    return dict({kind: what}, account_id=account, t=t, sign=md5("%s-%s-%s" % (what, secret, t)), sdk_ver="1.3",
                os_type="android", **more)


def baidu(s):
    status, text = ask(s, "/v4/resolve", baidu_params(HOST + ",nowhere.example", ip=CLIENT, type="dual_stack",
                                                      alt_server_ip="true"))
    reply = json.loads(text)
    assert status == 200 and reply["msg"] == "ok" and reply["clientip"] == CLIENT, text
    assert abs(reply["timestamp"] - time.time()) < 60 and reply["serverip"]["ipv4"] == ["127.0.0.1"]
    assert vendor(reply["data"][HOST]["ipv4"]["ip"]) == usual(s) and reply["data"][HOST]["ipv4"]["ttl"] == 20
    assert reply["data"]["nowhere.example"] == {}
    reply = json.loads(ask(s, "/v4/resolve", baidu_params("drill", kind="tag", secret="AnotherOne"))[1])
    assert list(reply["data"]) == [HOST], reply

    def wrong(params, status, msg):
        refused(s, "/v4/resolve", params, status, msg, "msg")
    wrong(baidu_params(HOST, ahead=-1), 403, "SignatureExpired")
    wrong(baidu_params(HOST, ahead=86500), 403, "SignatureExpired")
    wrong(baidu_params(HOST, secret="guess"), 403, "InvalidSignature")
    wrong(baidu_params(HOST, account="400", secret="AnotherOne"), 403, "InvalidSignature")
    wrong(baidu_params(HOST, account="nobody"), 403, "InvalidAccount")
    good = baidu_params(HOST)
    wrong(dict(good, dn="live.sluice.example"), 403, "InvalidSignature")
    wrong(dict(good, t=str(int(good["t"]) + 1)), 403, "InvalidSignature")
    wrong({k: v for k, v in good.items() if k != "sign"}, 400, "MissingParameter")
    mine = baidu_params(HOST, ip=fresh_client())
    is_no_new_dispatch(s, lambda: ask(s, "/v4/resolve", mine))
    wrong(baidu_params(",".join("abcdefghijk")), 400, "TooManyDomains")
    assert ask(s, "/v4/resolve", baidu_params("a" * 4500))[0] == 414
    # a client whose clock is an hour slow learns it from the refusal, and comes again
    reply = json.loads(ask(s, "/v4/resolve", baidu_params(HOST, ahead=-3300))[1])
    again = baidu_params(HOST, ahead=-3300 + int(reply["timestamp"] - (time.time() - 3600)))
    assert reply["msg"] == "SignatureExpired" and ask(s, "/v4/resolve", again)[0] == 200


# ---- Volcengine

def volcengine_params(domain, secret="IAmASecret", off=0, account="100000", ip="", kind=""):
    t = str(int((time.time() + off) * 1000))
    params = {"domain": domain, "account_id": account, "timestamp": t}
    params.update({k: v for k, v in (("ip", ip), ("type", kind)) if v})
    return dict(params, sign=md5("_".join(sorted([secret, t, account, domain, ip, kind]))))


def volcengine(s):
    for off in (0, 3600, -200):
        status, text = ask(s, "/resolve", volcengine_params(HOST, ip=CLIENT, off=off))
        reply = json.loads(text)
        assert status == 200 and reply["host"] == HOST and reply["cip"] == CLIENT and reply["ttl"] == 20, text
        assert vendor(reply["ips"]) == usual(s)
    reply = json.loads(ask(s, "/resolve", volcengine_params(HOST + ",nowhere.example", secret="AnotherOne"))[1])
    assert [r["host"] for r in reply] == [HOST, "nowhere.example"] and reply[1]["ips"] == []
    assert json.loads(ask(s, "/resolve", volcengine_params(HOST, kind="AAAA"))[1])["ips"] == []
    good = volcengine_params(HOST, ip=CLIENT)
    for bad in (volcengine_params(HOST, off=-400), volcengine_params(HOST, off=86500),
                volcengine_params(HOST, secret="guess"), volcengine_params(HOST, account="nobody"),
                dict(good, domain="live.sluice.example"), dict(good, ip="192.0.2.1"), dict(good, type="A"),
                dict(good, sign=flip(good["sign"], 3)), volcengine_params("a,b,c,d,e,f")):
        assert ask(s, "/resolve", bad)[0] == 403, bad
    mine = volcengine_params(HOST, ip=fresh_client())
    is_no_new_dispatch(s, lambda: ask(s, "/resolve", mine))
    assert ask(s, "/resolve", volcengine_params("a" * 4500))[0] == 414
    assert ask(s, "/resolve", good, "POST")[0] == 405


def a_vendors_path_is_redirected(s):
    """Under a scheduled host these paths are the stream's."""
    for path in ("/live/d", "/d", "/live/resolve", "/v2/d", "/dns-query", "/x/ss"):
        assert ask(s, path, {"a": "1"}, headers={"Host": "live.sluice.example"})[0] == 302, path
    assert ask(s, "/a/b/d", {"host": HOST})[0] == 404 and ask(s, "//d", {"host": HOST})[0] == 404


def all_dialects():
    with daemon() as s:
        for case in (aliyun_v1, aliyun_v2, tencent, baidu, volcengine, a_vendors_path_is_redirected):
            case(s)


def signed_only_and_servers():
    with daemon("require_signature: true\nhttp: {servers_a: [192.0.2.53, 192.0.2.54], servers_aaaa: [\"2001:db8::53\"]}\n") as s:
        refused(s, "/100000/d", {"host": HOST}, 403, "UnsignedInterfaceDisabled")
        assert ask(s, "/100000/ss", {"region": "global"})[0] == 200  # SDKs do not always sign it
        for mode in (0, 1, 2):
            refused(s, "/v2/d", v2({"dn": HOST}, mode, sign=False), 403, "UnsignedInterfaceDisabled")
            assert ask(s, "/v2/d", v2({"dn": HOST}, mode))[0] == 200
        assert ask(s, *v1(HOST))[0] == 200 and ask(s, "/d", {"dn": HOST})[0] == 404
        for alg in ("token", "aes", "des"):
            t = Tencent(alg)
            assert vendor(t.ask(s, t.params(HOST)).split(";"))
        t = str(int(time.time()) + 60)
        reply = json.loads(ask(s, "/100000/ss", {"n": "x", "t": t, "s": md5("x-IAmASecret-" + t)})[1])
        assert reply == {"service_ip": ["192.0.2.53", "192.0.2.54"], "service_ipv6": ["2001:db8::53"]}


def rates_of_accounts():
    """An account that asks too often gets 429, whatever it speaks; who only names it costs it nothing. Loopback
    has no rates, so a trusted proxy's client asks."""
    with daemon(rate=", rate_per_s: 2") as s:
        client = {"X-Forwarded-For": CLIENT}
        doors = [v1(HOST), ("/v4/resolve", baidu_params(HOST)), ("/resolve", volcengine_params(HOST)),
                 ("/v2/d", v2({"dn": HOST}, 0)), ("/v2/d", v2({"dn": HOST}, 2))]
        doors += [("/d", Tencent(alg).params(HOST)) for alg in ("token", "aes", "des")]
        for path, params in doors:
            assert {ask(s, "/100000/d", {"host": HOST}, headers=client)[0] for _ in range(20)} == {200}
            got = collections.Counter(ask(s, path, params, headers=client)[0] for _ in range(40))
            assert set(got) <= {200, 429} and got[429] > 5, (path, got)
            assert ask(s, path, params)[0] == 200, path
            wait_for("what it may do in a second", lambda p=path, q=params: ask(s, p, q, headers=client)[0] == 200)
        wait_for("the counter", lambda: s.metric("sluice_http_limited_total", 'by="account"') > 5 * len(doors))


WIDE = ["%s.wide.sluice.example" % (c * 60) for c in "abcdefghij"]
CATALOG = """
vendors: [{name: alpha, guaranteed_mbps: 8000, max_mbps: 14000, addresses: [{a: [%s], aaaa: [%s]}]}]
services: [{name: wide, addresses: 32, hosts: [%s], vendors: [{vendor: alpha}]}]
zones: [{name: sluice.example, file: sluice.example.zone}]
""" % (", ".join("192.168.100.%d" % (100 + i) for i in range(32)),
       ", ".join('"2001:db8:1111:2222:3333:4444:5555:%d"' % (1000 + i) for i in range(32)), ", ".join(WIDE))


def the_largest_answers():
    """32 addresses of each family for as many hosts as each of them allows."""
    with daemon_of(CATALOG) as s:
        for alg in (None, "token", "aes", "des"):
            t = Tencent(alg)
            text = t.ask(s, t.params(",".join(WIDE), type="addrs", ttl="1", clientip="1"))
            lines = text.split("\n")
            assert len(lines) == 10 and all(line.count(";") == 62 for line in lines), text
        for mode in (0, 1, 2):
            data = v2_read(*ask(s, "/v2/d", v2({"dn": ",".join(WIDE[:5]), "q": "4,6", "sdns-x": "y"}, mode)))
            assert [len(a[f]["ips"]) for a in data["answers"] for f in ("v4", "v6")] == [32] * 10
        reply = json.loads(ask(s, *v1(",".join(WIDE[:5]), "sign_resolve", query="4,6"))[1])["dns"]
        assert [len(e["ips"]) for e in reply] == [32] * 10
        reply = json.loads(ask(s, "/v4/resolve", baidu_params(",".join(WIDE), type="dual_stack"))[1])["data"]
        assert len(reply) == 10 and all(len(h[f]["ip"]) == 32 for h in reply.values() for f in ("ipv4", "ipv6"))
        reply = json.loads(ask(s, "/resolve", volcengine_params(",".join(WIDE[:5])))[1])
        assert [len(r["ips"]) for r in reply] == [64] * 5


def keys_change_without_a_restart():
    with daemon() as s:
        s.write("sign.key", "changed")
        s.ctl("reload")
        wait_for("the new key", lambda: ask(s, *v1(HOST, secret="changed"))[0] == 200)
        refused(s, *v1(HOST), 403, "InvalidSignature")
        assert ask(s, *v1(HOST, secret="AnotherOne"))[0] == 200


if __name__ == "__main__":
    run([all_dialects, signed_only_and_servers, rates_of_accounts, the_largest_answers, keys_change_without_a_restart])
