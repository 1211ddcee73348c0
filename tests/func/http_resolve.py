#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The HTTP doors over real sockets: answers, methods, CORS, many connections, a world that is
republished under load, a stop that finishes what is under way."""
import collections
import http.client
import json
import os
import socket
import subprocess
import threading

BUILD = os.environ.get("top_builddir") or "build"
SERVER = os.path.join(BUILD, "tests/func/http_server")


class Server:
    def __init__(self, threads=2):
        self.p = subprocess.Popen([SERVER, "0", str(threads)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split()[1])

    def stop(self):
        self.p.terminate()
        out = self.p.communicate(timeout=60)[0]
        assert self.p.returncode == 0, "exit %s" % self.p.returncode
        words = out.split()
        return dict(zip(words[::2], map(int, words[1::2])))


def get(port, target, method="GET", headers=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    c.request(method, target, headers=headers or {})
    r = c.getresponse()
    body = r.read()
    c.close()
    return r, body


def test_answers(s):
    r, body = get(s.port, "/v1/resolve?host=live.sluice.example&ip=10.1.2.3")
    assert r.status == 200 and r.getheader("Content-Type") == "application/json", r.status
    assert r.getheader("Cache-Control") == "no-store"
    answer = json.loads(body)
    assert answer["group"] == "CN/GD/telecom" and len(answer["answers"]) == 3, answer
    r, body = get(s.port, "/v1/resolve?host=other.example")
    assert r.status == 404 and json.loads(body)["error"]["code"] == "unknown_host"
    for bad in ("", "?host=a&ip=1", "?ip=10.1.2.3"):
        r, body = get(s.port, "/v1/resolve" + bad)
        assert r.status == 400 and "error" in json.loads(body), bad
    assert get(s.port, "/healthz")[0].status == 200
    assert get(s.port, "/readyz")[0].status == 200


def test_methods(s):
    target = "/v1/resolve?host=live.sluice.example"
    r, body = get(s.port, target, "HEAD")
    assert r.status == 200 and body == b"" and int(r.getheader("Content-Length")) > 100
    assert get(s.port, target, "DELETE")[0].status == 405
    assert get(s.port, "/v1/nothing")[0].status == 404
    r, _ = get(s.port, target, "OPTIONS", {"Origin": "http://x.example", "Access-Control-Request-Method": "GET"})
    assert r.status == 204 and r.getheader("Access-Control-Allow-Origin") == "*", r.status
    r, _ = get(s.port, target, headers={"Origin": "http://x.example"})
    assert r.getheader("Access-Control-Allow-Origin") == "*"


def test_head_limit(s):
    """A head of 4 KiB is taken, one octet more is not."""
    line = b"GET /v1/resolve?host=live.sluice.example HTTP/1.1\r\nHost: x\r\nX-Pad: %s\r\n\r\n"
    for size, want in ((4096, b"200"), (4097, b"431")):
        head = line % (b"a" * (size - len(line) + 2))
        assert len(head) == size
        with socket.create_connection(("127.0.0.1", s.port), timeout=60) as c:
            c.sendall(head)
            status = c.recv(65536).split()[1]
        assert status == want, (size, status)


def test_body_limits(s):
    """A body of so many octets is read, one octet more is not."""
    batch = b'{"host":"live.sluice.example","requests":[{}]}'
    for path, limit in (("/v1/resolve", 256 << 10), ("/d", 4096), ("/v4/resolve", 4096), ("/dns-query", 4096)):
        for size in (limit, limit + 1):
            c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=60)
            c.request("POST", path, body=batch + b" " * (size - len(batch)))
            status = c.getresponse().status
            c.close()
            assert (status == 413) == (size > limit), (path, size, status)
            assert path != "/v1/resolve" or size > limit or status == 200, (path, size, status)


def test_client_of_proxy(s):
    """The test's own address is a trusted proxy: the client is the one it names."""
    r, body = get(s.port, "/v1/resolve?host=live.sluice.example", headers={"X-Forwarded-For": "10.2.0.9"})
    assert json.loads(body)["group"] == "CN/GD/unicom", body


def test_sequence(s):
    """Exact shares in sequence mode, summed over the workers the connections came to."""
    c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=60)
    seen = collections.Counter()
    for i in range(1000):
        c.request("GET", "/v1/resolve?host=drill.sluice.example&ip=10.3.0.1&client=%d" % i)
        seen[json.loads(c.getresponse().read())["answers"][0]["vendor"]] += 1
    c.close()
    for vendor, want in (("alpha", 500), ("beta", 300), ("gamma", 200)):
        assert abs(seen[vendor] - want) <= 1, seen


def test_many_at_once(s):
    """No stall at the counts where the library's own loop has one."""
    request = b"GET /v1/resolve?host=live.sluice.example HTTP/1.1\r\nHost: x\r\n\r\n"
    for n in (127, 128, 129, 256):
        socks = [socket.create_connection(("127.0.0.1", s.port), timeout=60) for _ in range(n)]
        for _ in range(3):
            for k in socks:
                k.sendall(request)
            for k in socks:
                data = b""
                while b"\r\n\r\n" not in data or not data.endswith(b"}"):
                    more = k.recv(65536)
                    assert more, "closed"
                    data += more
        for k in socks:
            k.close()


def test_stop_under_load(s):
    """Every reply that begins also ends; then the port is free."""
    torn, answered, halt = [], collections.Counter(), threading.Event()

    def run():
        c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=60)
        while not halt.is_set():
            try:
                c.request("GET", "/v1/resolve?host=live.sluice.example")
                r = c.getresponse()
            except (OSError, http.client.HTTPException):
                return
            body = r.read()
            answered[r.status] += 1
            try:
                json.loads(body)
            except ValueError:
                torn.append(body)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for t in threads:
        t.start()
    while answered[200] < 500:
        assert any(t.is_alive() for t in threads)
    counters = s.stop()
    halt.set()
    for t in threads:
        t.join(20)
    assert not torn and set(answered) == {200}, (torn, answered)
    assert counters["requests"] >= answered[200] and counters["5xx"] == 0, counters
    try:
        socket.create_connection(("127.0.0.1", s.port), timeout=2).close()
        raise AssertionError("somebody still listens")
    except ConnectionRefusedError:
        pass


def main():
    s = Server()
    try:
        for test in (test_answers, test_methods, test_head_limit, test_body_limits, test_client_of_proxy, test_sequence, test_many_at_once,
                     test_stop_under_load):
            test(s)
            print("ok", test.__name__)
    finally:
        if s.p.poll() is None:
            s.p.kill()
            s.p.wait()


if __name__ == "__main__":
    main()
