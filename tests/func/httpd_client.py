# SPDX-License-Identifier: Apache-2.0
"""A started tests/func/httpd_server, and plain sockets to it that say exactly what they mean."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

BUILD = os.environ.get("top_builddir", ".")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HEAD = b"GET /echo HTTP/1.1\r\nHost: a\r\n"
failures = 0


def check(what, ok, *seen):
    """Counts and prints a failed expectation."""
    global failures
    if not ok:
        failures += 1
        print("FAIL %s: %s" % (what, " ".join(repr(s)[:300] for s in seen)))
    return ok


def done():
    print("%d failed" % failures)
    sys.exit(1 if failures else 0)


class Server:
    """Runs until the end of the with-block, then must have ended well."""

    def __init__(self, *args):
        self.args = args

    def __enter__(self):
        self.process = subprocess.Popen([BUILD + "/tests/func/httpd_server", *self.args],
                                        stdout=subprocess.PIPE)
        line = self.process.stdout.readline().split()
        if not line or line[0] != b"ready":
            sys.exit("httpd_server %s did not start" % " ".join(self.args))
        self.port, self.tls_port = int(line[1]), int(line[2])
        self.sanitized = b"sanitized" in line
        return self

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGTERM)
        try:
            check("ends by itself", self.process.wait(60) == 0, self.process.returncode)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            check("ends by itself", False)

    def connect(self, timeout=60.0):
        s = socket.create_connection(("127.0.0.1", self.port))
        s.settimeout(timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def counters(self):
        return json.loads(self.get("/counters").body)

    def get(self, path, *headers):
        with self.connect() as s:
            return ask(s, request(path, *headers))

    def cpu_s(self):
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request(path, *headers, method="GET", body=b""):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: a", *headers]
    if body:
        lines.append("Content-Length: %d" % len(body))
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Reply:
    """status 0: nothing came. ended: the server closed behind it."""

    def __init__(self, raw, ended, bodiless=False):
        self.raw, self.ended = raw, ended
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        m = re.match(r"HTTP/1\.1 (\d+) ", lines[0] + " ")
        self.status = int(m.group(1)) if m else 0
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value
        n = int(self.headers.get("content-length", len(rest)))
        self.body = b"" if bodiless else rest[:n]
        self.rest = rest if bodiless else rest[n:]

    def json(self):
        return json.loads(self.body)

    def code(self):
        try:
            return self.json()["error"]["code"]
        except (ValueError, KeyError, TypeError):
            return None


def missing(raw, bodiless):
    """Octets still to come for a whole reply; None: not to be told yet."""
    end = raw.find(b"\r\n\r\n")
    if end < 0:
        return None
    if bodiless or b" 204 " in raw[:15]:
        return 0
    m = re.search(rb"\r\ncontent-length: (\d+)", raw[:end], re.I)
    return int(m.group(1)) - (len(raw) - end - 4) if m else None


def ask(s, octets, bodiless=False, rest=b""):
    """Sends, reads one reply, which begins with rest, and then says whether the connection was closed,
    waiting only for a server that announced it."""
    raw, ended = bytearray(rest), False
    try:
        s.sendall(octets)
    except OSError:
        pass
    try:
        while True:
            left = missing(raw, bodiless)
            if left is not None and left <= 0 and b"\r\nConnection: close" not in raw[:1000]:
                break
            got = s.recv(1 << 20)
            if not got:
                ended = True
                break
            raw += got
            if raw.startswith(CONTINUE):
                del raw[:len(CONTINUE)]
    except (TimeoutError, socket.timeout):
        pass
    except ConnectionResetError:
        ended = True
    return Reply(bytes(raw), ended, bodiless)


def wait_for(what, condition, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return check(what, False, "not within %gs" % seconds)
