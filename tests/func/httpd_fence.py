#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What src/httpd lets in and what it refuses, over plain sockets: framing, every limit at the limit
and past it, deadlines, addresses behind proxies, rates, browsers, UNIX sockets, TLS."""
import json
import os
import resource
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time

from httpd_client import HEAD, Reply, Server, ask, check, done, request, wait_for

POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"

# What is refused with 400 and a closed connection, whatever follows on it.
AMBIGUOUS = {
    "no HTTP at all": b"GARBAGE\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\n\n",
    "bare LF behind the request line": b"GET /echo HTTP/1.1\nHost: a\r\n\r\n",
    "bare LF behind a header": b"GET /echo HTTP/1.1\r\nHost: a\n\r\n",
    "bare LF as the empty line": HEAD + b"\n",
    "bare LFs": HEAD + b"X: b\n\n",
    "CR in a value": HEAD + b"X: a\rb\r\n\r\n",
    "a folded header": HEAD + b"X: a\r\n b\r\n\r\n",
    "a folded first header": b"GET /echo HTTP/1.1\r\n Host: a\r\nHost: b\r\n\r\n",
    "NUL in a value": HEAD + b"X: a\0b\r\n\r\n",
    "NULs in a value, like a line end": HEAD + b"X: a\0\0Y: b\r\n\r\n",
    "NUL in a name": HEAD + b"X\0: a\r\n\r\n",
    "NUL in the target": b"GET /echo\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "blank before the colon": HEAD + b"X : a\r\n\r\n",
    "no name": HEAD + b": a\r\n\r\n",
    "no colon": HEAD + b"X\r\n\r\n",
    "control octet in a value": HEAD + b"X: \x01\r\n\r\n",
    "two blanks before the target": b"GET  /echo HTTP/1.1\r\nHost: a\r\n\r\n",
    "two blanks before the version": b"GET /echo  HTTP/1.1\r\nHost: a\r\n\r\n",
    "a blank behind the version": b"GET /echo HTTP/1.1 \r\nHost: a\r\n\r\n",
    "a blank in the target": b"GET /echo a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tab for a blank": b"GET\t/echo HTTP/1.1\r\nHost: a\r\n\r\n",
    "octets past ASCII in the target": b"GET /echo?\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a fragment": b"GET /echo#a HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /echo\r\n\r\n",
    "no Host": b"GET /echo HTTP/1.1\r\n\r\n",
    "two Hosts": HEAD + b"Host: a\r\n\r\n",
    "differing Content-Lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "the same Content-Length twice": POST + b"Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "a list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "a signed length": POST + b"Content-Length: +5\r\n\r\nhello",
    "a hexadecimal length": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "an empty length": POST + b"Content-Length: \r\n\r\nhello",
    "a length beyond all": POST + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "length and chunked": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding that looks like chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a body behind GET": HEAD + b"Content-Length: 5\r\n\r\nhello",
    "a bad escape in the query": b"GET /echo?a=%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    "half an escape in the query": b"GET /echo?a=%4 HTTP/1.1\r\nHost: a\r\n\r\n",
    "%00 in the query": b"GET /echo?a=%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a bad escape in the path": b"GET /ec%zzho HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute form without a host": b"GET http:///echo HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path without slash": b"GET echo HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
}


def framing(server):
    for what, octets in AMBIGUOUS.items():
        with server.connect() as s:
            reply = ask(s, octets + HEAD + b"\r\n")
        check(what, reply.status == 400 and reply.ended and reply.raw.count(b"HTTP/1.1 ") == 1, reply.raw)
        check(what + ": nothing reflected", b"gzip" not in reply.body and b"GARBAGE" not in reply.body, reply.raw)
    for version in ("HTTP/1.2", "HTTP/2.0", "HTTP/0.9"):
        with server.connect() as s:
            reply = ask(s, b"GET /echo %s\r\nHost: a\r\n\r\n" % version.encode())
        check(version, reply.status == 505 and reply.ended, reply.raw)


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def chunked(server):
    """Taken, and nothing behind them."""
    for what, octets, length in (("one chunk", b"5\r\nhello\r\n0\r\n\r\n", 5),
                                 ("chunks, an extension, a trailer", b"5;a=b\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX: y\r\n\r\n", 15),
                                 ("no octets", b"0\r\n\r\n", 0),
                                 ("at the limit", b"1000\r\n" + b"x" * 4096 + b"\r\nf000\r\n" + b"x" * 61440 + b"\r\n0\r\n\r\n", 65536)):
        for split in (False, True):
            with server.connect() as s:
                if split:
                    s.sendall(CHUNKED + octets[:2])
                    wait_for("a body is awaited", lambda: server.counters()["open"] >= 2)
                reply = ask(s, (octets[2:] if split else CHUNKED + octets) + HEAD + b"\r\n")
            check(what, reply.status == 200 and reply.json()["body"] == str(length), reply.raw)
            check(what + ": the end", reply.ended and reply.raw.count(b"HTTP/1.1 ") == 1, reply.raw)
    for what, octets, status in (("past the limit", (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 17 + b"0\r\n\r\n", 413),
                                 ("without end", b"10000\r\n" + b"x" * 65536 + b"\r\n", None),
                                 ("an extension of 100 kB", b"5;" + b"a" * 100000 + b"\r\nhello\r\n0\r\n\r\n", 400),
                                 ("an extension without end", b"5;" + b"a" * 20000, 400),
                                 ("no size", b"\r\nhello\r\n0\r\n\r\n", 400),
                                 ("a size that is none", b"5 \r\nhello\r\n0\r\n\r\n", 400),
                                 ("a signed size", b"+5\r\nhello\r\n0\r\n\r\n", 400),
                                 ("0x", b"0x5\r\nhello\r\n0\r\n\r\n", 400),
                                 ("too long a chunk", b"4\r\nhello\r\n0\r\n\r\n", 400),
                                 ("a huge size", b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n", 413)):
        with server.connect() as s:
            if status is None:
                try:
                    for _ in range(100):
                        s.sendall(octets)
                except OSError:
                    pass
                check("a chunked body without end is cut", ends_within(s, 0, 18) != b"late", "")
                continue
            reply = ask(s, CHUNKED + octets + HEAD + b"\r\n")
        check(what, reply.status == status and reply.ended and reply.raw.count(b"HTTP/1.1 ") == 1, reply.raw)


def plain(server):
    reply = server.get("/echo?q=a%20b+c&x&y=&", "User-Agent:  me \t")
    seen = reply.json()
    check("a plain GET", reply.status == 200 and not reply.ended, reply.raw)
    check("Date and type", reply.headers["content-type"] == "application/json" and "GMT" in reply.headers["date"],
          reply.headers)
    check("decoded parameter", seen["q"] == "a b c" and seen["agent"] == "me", seen)
    for target in ("/echo", "/echo?", "/echo?&", "/echo?a", "/echo?a=", "/echo?a=b&", "/echo?&&a==b&&", "/echo?a+b=%41&q",
                   "/echo?http://x/?y=z"):
        seen = server.get(target).json()
        check("the target as sent", seen["target"] == target, target, seen)
    check("repeated parameter", server.get("/echo?q=1&q=2").json()["q_found"] == "-17", "")
    seen = server.get("http://x:1/echo?q=1").json()
    check("absolute form, whose host counts", (seen["target"], seen["host"]) == ("/echo?q=1", "x:1"), seen)
    check("prefix route", server.get("/under/a/b?c").json()["path"] == "/under/a/b", "")
    with server.connect() as s:
        for i in range(3):
            reply = ask(s, request("/echo?q=%d" % i))
            check("keep-alive", reply.status == 200 and reply.json()["q"] == str(i), reply.raw)
        reply = ask(s, request("/echo", "Connection: close"))
        check("Connection: close", reply.status == 200 and reply.ended, reply.raw)
    with server.connect() as s:
        reply = ask(s, b"GET /echo HTTP/1.0\r\n\r\n")
        check("HTTP/1.0", reply.status == 200 and reply.ended, reply.raw)
    with server.connect() as s:
        reply = ask(s, request("/null", method="HEAD"), bodiless=True)
        check("HEAD", reply.status == 200 and reply.headers["content-length"] == "400" and not reply.rest, reply.raw)
        check("and on", ask(s, request("/echo")).status == 200, "")
    with server.connect() as s:
        s.sendall((HEAD + b"\r\n") * 20)
        raw = b""
        while raw.count(b"HTTP/1.1 200") < 20:
            raw += s.recv(65536) or exit("pipelining: the connection ended")
    for octets in (request("/echo?q=abc", "X: y"), request("/echo", method="POST", body=b"hello")):
        with server.connect() as s:
            for i in range(len(octets) - 1):
                s.sendall(octets[i:i + 1])
            check("octet by octet", ask(s, octets[-1:]).status == 200, octets)
    for path in ("/healthz", "/readyz"):
        check(path, server.get(path).body == b"ok\n", path)


def usual_headers(server):
    """What one reply has is not what the next one gets, in the same second or not."""
    json_type, text = "application/json", "text/plain"
    rows = [("?cache=", json_type, None), ("", json_type, "no-store"), ("?cache=no-storage", json_type, "no-storage"),
            ("?cache=a&type=text", text, "a"), ("?cache=b&type=text", text, "b"), ("?cache=&type=text", text, None),
            ("?cache=&type=none", None, None), ("?type=none&cache=b", None, "b"),
            ("?cache=" + "c" * 400, json_type, "c" * 400), ("?cache=no-store", json_type, "no-store")]
    dates = set()
    with server.connect() as s:
        while len(dates) < 3:
            for query, content_type, cache in rows:
                for _ in range(2):
                    reply = ask(s, request("/cached" + query))
                    got = (reply.headers.get("content-type"), reply.headers.get("cache-control"))
                    if not check("usual headers", reply.status == 200 and got == (content_type, cache), query, reply.raw):
                        return
                    dates.add(reply.headers["date"])
            time.sleep(0.1)


def routes(server):
    for path in ("/healthz", "/readyz", "/nothing", "/null"):
        check("not to be stored", server.get(path).headers.get("cache-control") == "no-store", path)
    reply = server.get("/nothing/<script>")
    check("unknown path", reply.status == 404 and reply.code() == "path" and b"script" not in reply.raw, reply.raw)
    for method, status in (("PUT", 405), ("FOO", 405), ("DELETE", 200), ("OPTIONS", 405)):
        with server.connect() as s:
            reply = ask(s, request("/echo", method=method))
            check(method, reply.status == status, reply.raw)
            if status == 405:
                check("Allow", reply.headers.get("allow") == "GET, HEAD, POST, DELETE", reply.headers)
            check("and on", ask(s, request("/echo")).status == 200, method)
    with server.connect() as s:
        reply = ask(s, request("/cors", "Origin: https://x", "Access-Control-Request-Method: POST", method="OPTIONS"))
        check("preflight", reply.status == 204 and reply.headers.get("access-control-allow-origin") == "*" and
              "POST" in reply.headers.get("access-control-allow-methods", ""), reply.raw)
        check("what there is", reply.headers.get("allow") == "GET, HEAD, POST, OPTIONS", reply.raw)
        reply = ask(s, request("/cors", "Origin: https://x"))
        exposed = reply.headers.get("access-control-expose-headers", "").split(", ")
        check("exposed headers", {"Retry-After", "X-Sluice-Signature"} <= set(exposed), reply.raw)
        reply = ask(s, request("/cors", "Origin: https://x", method="PUT"))
        check("refusal to a browser", reply.status == 405 and "access-control-allow-origin" in reply.headers, reply.raw)
    with server.connect() as s:
        reply = ask(s, request("/echo", "Expect: 100-continue", method="POST", body=b"hello"))
        check("100-continue", reply.status == 200 and reply.json()["body"] == "5", reply.raw)
    with server.connect() as s:
        reply = ask(s, request("/echo", "Expect: something", method="POST", body=b"hello"))
        check("another expectation", reply.status == 417 and reply.ended, reply.raw)


def sizes(server):
    """url_octets=500 head_octets=2000 headers=10 reply_octets=1000"""
    base = len("/echo?q=")
    check("URL at the limit", server.get("/null?q=" + "a" * (500 - base)).status == 200, "")
    reply = server.get("/echo?q=" + "a" * (501 - base))
    check("URL past it", reply.status == 414 and reply.ended and reply.code() == "url_size", reply.raw)
    check("a huge URL", server.get("/echo?q=" + "a" * 200000).status == 414, "")
    empty = len(request("/echo", "X: "))
    check("head at the limit", server.get("/echo", "X: " + "a" * (2000 - empty)).status == 200, "")
    reply = server.get("/echo", "X: " + "a" * (2001 - empty))
    check("head past it", reply.status == 431 and reply.ended and reply.code() == "head_size", reply.raw)
    check("a huge head", server.get("/echo", "X: " + "a" * 200000).status == 431, "")
    check("headers at the limit", server.get("/echo", *["X: y"] * 9).status == 200, "")
    reply = server.get("/echo", *["X: y"] * 10)
    check("headers past it", reply.status == 431 and reply.code() == "head_size", reply.raw)
    for path, limit in (("/small", 10), ("/echo", 65536)):
        with server.connect() as s:
            reply = ask(s, request(path, method="POST", body=b"x" * limit))
            check("body at the limit", reply.status == 200 and reply.json()["body"] == str(limit), path, reply.raw)
            reply = ask(s, request(path, method="POST", body=b"x" * (limit + 1)))
            check("body past it", reply.status == 413 and reply.ended and reply.code() == "body_size", path, reply.raw)
    with server.connect() as s:
        reply = ask(s, request("/big", method="POST", body=b"x" * (32 << 20)))
        check("a large body", reply.status == 200 and reply.json()["body"] == str(32 << 20), reply.raw)
    for _ in range(5):  # who takes longer than two seconds to send that is cut before
        with server.connect() as s:
            reply = ask(s, request("/echo", method="POST", body=b"x" * (8 << 20)))
        if reply.status == 413:
            break
    check("413 reaches a sender that does not listen", reply.status == 413, reply.raw)
    with server.connect() as s:
        reply = ask(s, request("/full"))
        check("reply at the limit", reply.status == 200 and len(reply.body) == 1000, reply.raw)
        reply = ask(s, request("/fuller"))
        check("reply past it", reply.status == 500 and reply.code() == "reply_size", reply.raw)
    with server.connect() as s:
        reply = ask(s, request("/large"))
        check("an owned reply", reply.status == 200 and len(reply.body) == 64 << 20, reply.raw[:200])


def overfull(connect):
    """Heads that the library's pool does not hold, so that it has no room for an answer of its own either."""
    for n, more in ((64, ["X: y"] * 40), (64, ["X: " + "y" * 3000]), (70, []), (76, []), (100, []), (300, ["X: y"] * 47),
                    (2000, []), (70000, []), (1, ["X: " + "y" * 70000])):
        octets = request("/null?" + "&a=1" * n, *more)
        for before in ("nothing", "a reply", "a request"):
            with connect() as s:
                if before == "a reply":
                    check("before", ask(s, request("/null")).status == 200, "")
                reply = ask(s, (request("/null") if before == "a request" else b"") + octets)
                if before == "a request" and reply.status == 200:
                    reply = ask(s, b"", rest=reply.rest)
            check("%d parameters, %d headers behind %s" % (n, len(more), before), reply.status in (400, 414, 431) and
                  reply.ended and reply.raw.count(b"HTTP/1.1 ") == 1, reply.raw[:200])


def fields():
    """url_octets and head_octets as the doors have them. Headers and parameters past 8 count for 64 octets
    of head each; whatever the head leaves free, a reply comes back."""
    with Server("url_octets=4096", "head_octets=4096") as server:
        check("parameters at the limit", server.get("/echo?" + "&".join(["a=1"] * 64)).status == 200, "")
        check("parameters past it", server.get("/echo?" + "&".join(["a=1"] * 65)).status == 400, "")
        check("headers at the limit", server.get("/echo", *["X: y"] * 47).status == 200, "")
        reply = server.get("/echo", *["X: y"] * 48)
        check("headers past it", reply.status == 431 and reply.code() == "head_size", reply.raw)
        for n in (8, 9, 40):
            more = ["X: y"] * (n - 2)
            room = 4096 - 64 * (n - 8) - len(request("/echo", "Y: ", *more))
            reply = server.get("/echo", "Y: " + "a" * room, *more)
            check("%d fields at the limit" % n, reply.status == 200, reply.raw[:200])
            reply = server.get("/echo", "Y: " + "a" * (room + 1), *more)
            check("%d fields past it" % n, reply.status == 431 and reply.ended and reply.code() == "head_size", reply.raw[:200])
        for n in range(4000, 9000, 50):
            for what, reply in (("URL", server.get("/null?q=" + "a" * n)), ("header", server.get("/null", "X: " + "a" * n))):
                check("a %s of %d octets" % (what, n), reply.status == 200 if n <= 4050 else
                      reply.status in (414, 431) and reply.ended, reply.raw[:200])
        overfull(server.connect)
        seen = set()
        for n in list(range(100, 4000, 150)) + [4000]:
            path = "/move/" + "a" * n
            reply = server.get(path)
            moved = reply.status == 302 and reply.headers.get("location") == "http://elsewhere.example" + path
            check("a redirect of %d octets" % n, moved or (reply.status == 431 and n > 2000), reply.raw[:200])
            seen.add(reply.status)
        check("long ones are refused", seen == {302, 431}, seen)


def body_memory():
    with Server("body_octets=65536") as server, server.connect() as one, server.connect() as two:
        one.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nx")
        wait_for("the first body is awaited", lambda: server.counters()["open"] >= 3)
        reply = ask(two, request("/echo", method="POST", body=b"x" * 6000))
        check("too many bodies", reply.status == 503 and reply.code() == "memory" and
              reply.headers.get("retry-after") == "1", reply.raw)
        check("the first goes on", ask(one, b"x" * 59999).status == 200, "")
        with server.connect() as three:
            check("then there is room", ask(three, request("/echo", method="POST", body=b"x" * 6000)).status == 200, "")


def ends_within(s, low, high, since=None):
    """Octets until the server closed, when that was low..high seconds after since, or from now. low is what
    the server was told, by a clock of some ms; high is only less than what it would do untold, for the machine may
    be busy."""
    start, raw = since or time.monotonic(), b""
    s.settimeout(high + 5)
    try:
        while True:
            got = s.recv(65536)
            if not got:
                break
            raw += got
    except ConnectionResetError:
        pass
    took = time.monotonic() - start
    return raw if check("deadline", low - 0.05 <= took <= high, took) else b"late"


def deadlines():
    """Each is far less than where it is not set: 10 s, 20 s, 60 s, 20 s."""
    with Server("head_ms=600", "body_ms=900", "idle_ms=1200", "send_ms=700") as server:
        start = time.monotonic()
        with server.connect() as s:
            raw = ends_within(s, 0.6, 8, start)
            reply = Reply(raw, True)
            check("nothing sent", reply.status == 408 and reply.code() == "timeout" and "GMT" in reply.headers["date"] and
                  reply.headers["cache-control"] == "no-store" and not reply.rest, raw)
        start = time.monotonic()
        with server.connect() as s:
            s.sendall(HEAD)
            check("half a head", b" 408 " in ends_within(s, 0.6, 8, start), "")
        with server.connect() as s:  # the deadline is absolute: octets do not move it
            s.settimeout(0.05)
            start = time.monotonic()
            octets = iter(HEAD + b"X: " + b"a" * 1000)
            try:
                while time.monotonic() - start < 8:
                    s.sendall(bytes([next(octets)]))
                    try:
                        if s.recv(1000):
                            break
                    except (TimeoutError, socket.timeout):
                        pass
            except OSError:
                pass
            check("a dripping head", time.monotonic() - start < 8, time.monotonic() - start)
        start = time.monotonic()
        with server.connect() as s:
            s.sendall(POST + b"Content-Length: 10\r\n\r\nhello")
            check("half a body", b" 408 " in ends_within(s, 0.9, 18, start), "")
        with server.connect() as s:
            start = time.monotonic()
            check("then idle", ask(s, request("/echo")).status == 200, "")
            check("closed silently", ends_within(s, 1.2, 50, start) == b"", "")
        with server.connect() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(request("/full") * 200)
            wait_for("a reader that does not read", lambda: server.counters()["send_time"] == 1, 18)
        seen = server.counters()
        check("counted", seen["head_time"] == 3 and seen["body_time"] == 1, seen)
        wait_for("all gone", lambda: server.counters()["open"] == 1)


def connections():
    with Server("connections=40", "per_address=20") as server:
        old = [server.connect() for _ in range(40)]
        for s in old:
            check("one of 40", ask(s, request("/echo")).status == 200, "")
        check("the 41st takes the place of the oldest", server.get("/echo").status == 200, "")
        check("which is closed", ends_within(old[0], 0, 50) == b"", "")
        check("the youngest is not", ask(old[-1], request("/echo")).status == 200, "")
        seen = server.counters()
        reply = ask(old[-2], CHUNKED + b"0\r\n\r\n")
        check("over half full, no chunks", reply.status == 411 and reply.ended and reply.code() == "chunked", reply.raw)
        check("loopback is counted", seen["per_address"] >= 20 and seen["evicted"] >= 1, seen)
        for s in old:
            s.close()
        own = own_address()
        if own:
            many = [socket.create_connection((own, server.port)) for _ in range(21)]
            for s in many[:20]:
                s.settimeout(60)
                check("an address at its limit", ask(s, request("/echo")).status == 200, "")
            check("past it", ends_within(many[20], 0, 8) == b"", "")
            many[0].close()
            wait_for("its place is free again",
                     lambda: ask(socket.create_connection((own, server.port), 60), request("/echo")).status == 200)
            with Server("per_address=20", "trusted=%s/32" % own) as fronted:
                many = [socket.create_connection((own, fronted.port), 60) for _ in range(60)]
                for s in many:
                    check("a trusted proxy has no limit", ask(s, request("/echo")).status == 200, "")
                    s.close()
                check("nor is it counted", fronted.counters()["per_address"] == 0, fronted.counters())
        else:
            print("skipped: this machine has no address but loopback")


def a_rush():
    """More at once than there are places and spare ones, all too young to be evicted when they come: who comes
    then need not wait for a deadline."""
    with Server("connections=40", "head_ms=600000") as server:
        server.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, server.process.pid, os.WSTOPPED | os.WNOWAIT)
        rush = [server.connect() for _ in range(800)]
        server.process.send_signal(signal.SIGCONT)
        check("an answer", server.get("/echo").status == 200, "")
        for s in rush:
            s.close()


def no_descriptor_left():
    """Who is served is not dropped for somebody who has not come; for one who has, the oldest idle one is."""
    with Server() as server:
        fds = {int(n) for n in os.listdir("/proc/%d/fd" % server.process.pid)}
        check("one behind the other", len(fds) == max(fds) + 1, fds)
        most = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (len(fds) + 2, most[1]))
        with server.connect() as first:
            check("there was room", ask(first, request("/echo")).status == 200, "")
            with server.connect() as second:
                for s in (second, first):
                    check("and for one more", ask(s, request("/echo")).status == 200, "")
                with server.connect() as third:
                    check("there is none", ends_within(third, 0, 50) == b"", "")
                check("the one that was idle for longest has gone", ends_within(second, 0, 50) == b"", "")
            check("the other one not", ask(first, request("/echo")).status == 200, "")
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, most)


def own_address():
    """An address of this machine that is not loopback, or None. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            name = s.getsockname()[0]
        except OSError:
            return None
    return None if name.startswith("127.") else name


def addresses():
    with Server("rate_per_s=1", "rate_burst=5") as server:
        client = lambda *values: server.get("/echo", *["X-Forwarded-For: " + v for v in values]).json()["client"]
        check("no proxy", client() == "127.0.0.1", "")
        check("rightmost untrusted", client("1.1.1.1, 198.51.100.7, 127.0.0.2") == "198.51.100.7", "")
        check("in order of headers", client("198.51.100.7", "198.51.100.8") == "198.51.100.8", "")
        check("junk", client("junk") == "127.0.0.1", "")
        reply = server.get("/echo", "X-Forwarded-For: 203.0.113.1")
        check("not admitted", reply.status == 403 and reply.code() == "admit", reply.raw)
        with server.connect() as s:
            states = [ask(s, request("/rated", "X-Forwarded-For: 198.51.100.7")) for _ in range(20)]
            check("burst", [r.status for r in states[:5]] == [200] * 5, [r.status for r in states])
            late = [r for r in states if r.status == 429]  # the last too, but where each takes a second
            check("then 429", late and late[-1].headers.get("retry-after") == "1", states[-1].raw)
            check("another address", ask(s, request("/rated", "X-Forwarded-For: 198.51.100.8")).status == 200, "")
            check("other routes", ask(s, request("/echo", "X-Forwarded-For: 198.51.100.7")).status == 200, "")
            for _ in range(40):
                check("loopback is not dropped", ask(s, request("/rated")).status == 200, "")
        check("but counted", server.counters()["over_rate_loopback"] >= 10, server.counters())
    with Server("trusted=10.0.0.0/8") as server:
        check("loopback is no proxy then",
              server.get("/echo", "X-Forwarded-For: 198.51.100.7").json()["client"] == "127.0.0.1", "")


def unix(folder):
    path = os.path.join(folder, "s")
    with Server("unix=" + path), socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(path)
        seen = ask(s, request("/echo")).json()
        check("UNIX socket", seen["uid"] == str(os.getuid()) and seen["client"] == "", seen)
        check("again", ask(s, request("/echo", method="POST", body=b"abc")).json()["body"] == "3", "")


def certificate(folder, name):
    cert, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                    "-addext", "subjectAltName=DNS:" + name, "-keyout", key, "-out", cert],
                   check=True, stderr=subprocess.DEVNULL)
    return cert, key


def tls(folder):
    if not shutil.which("openssl"):
        print("skipped: TLS, openssl is not installed")
        return
    cert, key = certificate(folder, "one.example")
    other_cert, other_key = certificate(folder, "two.example")
    with Server("cert=" + cert, "key=" + key, "head_ms=3000") as server:
        def client(name, ca, session=None, context=None):
            context = context or ssl.create_default_context(cafile=ca)
            raw = socket.create_connection(("127.0.0.1", server.tls_port), 60)
            return context.wrap_socket(raw, server_hostname=name, session=session), context
        s, context = client("one.example", cert)
        with s:
            check("over TLS", ask(s, request("/echo")).json()["tls"] == "yes", "")
            check("again", ask(s, request("/echo", method="POST", body=b"x" * 60000)).json()["body"] == "60000", "")
            check("refused over TLS", ask(s, request("/echo", "X : y")).status == 400, "")
        twelve = ssl.create_default_context(cafile=cert)
        twelve.maximum_version = ssl.TLSVersion.TLSv1_2
        s, _ = client("one.example", cert, context=twelve)
        session = s.session
        check("has a ticket", session is not None and session.has_ticket, "")
        s.close()
        s, _ = client("one.example", cert, session=session, context=twelve)
        check("resumes by ticket", s.session_reused, "")
        shutil.copy(other_cert, cert)
        shutil.copy(other_key, key)
        server.process.send_signal(signal.SIGHUP)

        def renewed():
            try:
                client("two.example", other_cert)[0].close()
                return True
            except ssl.SSLError:
                return False
        wait_for("the new certificate", renewed)
        check("an old connection goes on", ask(s, request("/echo")).status == 200, "")
        s.close()
        with open(cert, "w", encoding="ascii") as f:
            f.write("nonsense")
        server.process.send_signal(signal.SIGHUP)
        check("a bad one is refused", renewed(), "")
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.tls_port), 60) as silent:
            check("a silent handshake", ends_within(silent, 3.0, 9, start) == b"", "")
        shutil.copy(other_cert, cert)
        with client("two.example", other_cert)[0] as s:
            s.sendall(HEAD)
            reply = ask(s, b"")
            check("half a head over TLS", reply.status == 408 and reply.ended, reply.raw)
    with Server("cert=" + cert, "key=" + key, "url_octets=4096", "head_octets=4096") as server:
        context = ssl.create_default_context(cafile=cert)

        def connect():
            return context.wrap_socket(socket.create_connection(("127.0.0.1", server.tls_port), 60),
                                       server_hostname="two.example")
        overfull(connect)
        with connect() as half, server.connect() as plain_half:
            for s in half, plain_half:
                s.sendall(HEAD)
            wait_for("two half heads", lambda: server.counters()["open"] == 3)
            for octets in (b"GET /" + b"a" * 9000, request("/null?" + "&a=1" * 100), HEAD + b"no colon\r\n\r\n"):
                before = server.counters()
                with connect() as s:
                    s.sendall(octets)
                    wait_for("another is refused", lambda n=before["library"]: server.counters()["library"] > n)
            for s in half, plain_half:
                reply = ask(s, b"\r\n")
                check("and they are not", reply.status == 200, reply.raw)


def drains():
    with Server() as server, server.connect() as idle, server.connect() as busy:
        check("before", ask(idle, request("/echo")).status == 200, "")
        busy.sendall(POST + b"Content-Length: 5\r\n\r\nhel")
        wait_for("a body is awaited", lambda: server.counters()["open"] == 3)
        server.process.send_signal(signal.SIGTERM)
        check("idle ones are closed", ends_within(idle, 0, 9) == b"", "")
        reply = ask(busy, b"lo")
        check("busy ones are answered", reply.status == 200 and reply.ended, reply.raw)


def ends(server):
    """A client's end that comes with its last octets: the server stands still until both are there. What it
    asked is answered; then, and where it is half a request, the connection is no more."""
    for octets in (request("/echo"), HEAD, POST + b"Content-Length: 10\r\n\r\nhello"):
        socks = [server.connect() for _ in range(20)]
        for s in socks:
            check("before", ask(s, request("/echo")).status == 200, octets)
        server.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, server.process.pid, os.WSTOPPED | os.WNOWAIT)
        for s in socks:
            s.sendall(octets)
            s.shutdown(socket.SHUT_WR)
        server.process.send_signal(signal.SIGCONT)
        for s in socks:
            raw = b""
            while True:
                got = s.recv(4096)
                raw += got
                if not got:
                    break
            check("an answer, and the end", raw.count(b"HTTP/1.1 200") == (octets == request("/echo")), raw)
            s.close()
        wait_for("they are gone", lambda: server.counters()["open"] == 1)


def resets(server):
    for octets, times in ((b"", 20), (HEAD, 20), (POST + b"Content-Length: 10\r\n\r\nhello", 20),
                          (request("/large"), 3), (request("/echo"), 20)):
        for _ in range(times):
            s = server.connect()
            s.sendall(octets)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
    wait_for("resets leave nothing behind", lambda: server.counters()["open"] == 1)


with tempfile.TemporaryDirectory() as scratch:
    with Server() as shared:
        plain(shared)
        usual_headers(shared)
        routes(shared)
        framing(shared)
        chunked(shared)
        resets(shared)
        ends(shared)
        counters = shared.counters()
        check("counters", counters["framing"] > 20 and counters["chunked"] == 2 and counters["body_size"] == 1 and counters["library"] > 0, counters)
        json.dumps(counters)
    with Server("url_octets=500", "head_octets=2000", "headers=10", "reply_octets=1000") as shared:
        sizes(shared)
    fields()
    body_memory()
    deadlines()
    connections()
    a_rush()
    no_descriptor_left()
    addresses()
    unix(scratch)
    tls(scratch)
    drains()
done()
