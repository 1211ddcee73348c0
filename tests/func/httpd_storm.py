#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many clients at once: as many ready connections as libmicrohttpd's own loop would stall at, and two
thousand hostile ones beside which a plain request must be answered within a second; memory that does not
grow. With SLUICE_LONG ten thousand connections as well."""
import multiprocessing
import os
import random
import resource
import select
import signal
import socket
import struct
import time

from httpd_client import HEAD, Server, ask, check, done, request, wait_for

SECONDS = 4
CLIENTS = 2000  # a quarter of it where a sanitizer slows the server down
KINDS = ("slow",) * 3 + ("greedy",) * 3 + ("dripping", "blocking") + ("resetting",) * 2
AGAIN_S = 0.5  # a client that was cut connects anew after so long
LATE_S = 0.01  # a new client that says nothing for 20 ms may be evicted: so long it may have been kept from it


CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"a" * 20000


def receive_all(socks, timeout):
    """Reads one reply of each; how many came."""
    poll = select.epoll()
    by_fd = {s.fileno(): s for s in socks}
    for fd in by_fd:
        poll.register(fd, select.EPOLLIN)
    waiting, end = set(by_fd), time.monotonic() + timeout
    while waiting and time.monotonic() < end:
        for fd, _ in poll.poll(0.1):
            if b"HTTP/1.1 200" in by_fd[fd].recv(4096):
                waiting.discard(fd)
    poll.close()
    return len(by_fd) - len(waiting)


def ready_at_once(count):
    """All send while the server stands still, so that its first look finds exactly so many ready. It
    sleeps without an end: a reply that it oversleeps does not come late, it does not come."""
    with Server("idle_ms=600000") as server:
        socks = [server.connect() for _ in range(count)]
        for s in socks:
            s.sendall(request("/null"))
        check("%d connections, first request" % count, receive_all(socks, 60) == count)
        held = [heap(server)]
        for _ in range(5):
            server.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, server.process.pid, os.WSTOPPED | os.WNOWAIT)
            for s in socks:
                s.sendall(request("/null"))
            server.process.send_signal(signal.SIGCONT)
            got = receive_all(socks, 60)
            check("%d ready at once" % count, got == count, got)
            held.append(heap(server))
        check("the same memory", grows(held) < 2000, held)  # 16 octets of each request would be 4064
        for s in socks:
            s.close()


def heap(server):
    """Octets that are allocated; always 0 where a sanitizer allocates, which finds leaks by itself."""
    return server.counters()["heap"]


def grows(held):
    """What is lost is lost in every stretch; what is only kept for the next is kept once."""
    return min(b - a for a, b in zip(held, held[1:]))


def memory_is_flat():
    """Connections of every kind that come and go leave nothing behind."""
    kinds = (request("/null"), request("/echo", method="POST", body=b"x" * 30000), HEAD, b"\0" * 100,
             request("/full"), request("/null", "Connection: close"))
    with Server() as server:
        held = []
        for turn in range(12):
            for octets in kinds + ((CHUNKED,) if turn % 4 == 0 else ()):
                socks = [server.connect() for _ in range(100)]
                for s in socks:
                    s.sendall(octets)
                whole = octets.startswith(b"GET") and octets.endswith(b"\r\n\r\n")
                check("replies", not whole or receive_all(socks, 60) == 100, octets[:20])
                for i, s in enumerate(socks):
                    if i % 2 or not whole:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.close()
                wait_for("they are gone", lambda: server.counters()["open"] == 1, 60)
            if turn % 4 == 3:
                held.append(heap(server))
        # 100 connections of each kind in a turn: if each of one kind lost 16 octets, this would be 12800
        check("no more memory", grows(held) < 5000, held)


class Hostile:
    """One connection of a kind; step() does its next wrong thing and connects anew when it was cut."""

    def __init__(self, port, kind):
        self.port, self.kind, self.sock, self.not_before = port, kind, None, 0.0

    def open(self):
        self.sock = socket.socket()
        self.sock.setblocking(False)
        if self.kind == "greedy":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.sock.connect_ex(("127.0.0.1", self.port))
        self.first = True

    def close(self, reset):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.sock = None
        self.not_before = time.monotonic() + (0 if reset else AGAIN_S)

    def step(self):
        if not self.sock:
            if time.monotonic() >= self.not_before:
                self.open()
            return
        try:
            if self.kind == "slow":
                self.sock.send(HEAD[:20] if self.first else b"a")
            elif self.kind == "greedy":
                self.sock.send(request("/full") * (10 if self.first else 1))
            elif self.kind == "dripping":
                self.sock.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" if self.first else b"x")
            elif self.kind == "blocking":
                self.sock.send(CHUNKED if self.first else b"a" * 1000)
            else:
                self.sock.send(random.choice((HEAD, request("/echo"), request("/full") * 3, b"\0")))
                self.close(True)
                return
            self.first = False
        except BlockingIOError:
            pass
        except OSError:
            self.close(False)


def attack(port, count, stop):
    hostile = [Hostile(port, KINDS[i % len(KINDS)]) for i in range(count)]
    while not stop.is_set():
        for h in hostile:
            h.step()


def echo(listener):
    """The yardstick: a process that has nothing to do but to answer one connection."""
    s = listener.accept()[0]
    while s.recv(1):
        s.send(b"y")


class Yardstick:
    """How long this machine takes for next to nothing, beside the storm: a second means a second of
    a machine that is there, not of one that somebody else keeps busy."""

    def __init__(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.process = multiprocessing.Process(target=echo, args=(listener,))
        self.process.start()
        self.sock = socket.create_connection(listener.getsockname())
        listener.close()
        self.worst = 0.0

    def measure(self):
        start = time.monotonic()
        self.sock.send(b"x")
        self.sock.recv(1)
        self.worst = max(self.worst, time.monotonic() - start)

    def end(self):
        self.sock.close()
        self.process.join(60)


def starved_s(server):
    """How long the server, and we, have waited for a core that others had."""
    starved = 0.0
    for pid in (server.process.pid, os.getpid()):
        with open("/proc/%d/schedstat" % pid, encoding="ascii") as f:
            starved += int(f.read().split()[1]) / 1e9
    return starved


def storm(keep, *args):
    with Server("head_ms=3000", "body_ms=3000", *args) as server:
        stop = multiprocessing.Event()
        count = CLIENTS // 4 if server.sanitized else CLIENTS
        attacker = multiprocessing.Process(target=attack, args=(server.port, count, stop))
        attacker.start()
        wait_for("the storm is on", lambda: server.counters()["requests"] > count, 60)
        worst, stood, asked, start = 0.0, 0.0, 0, time.monotonic()
        yardstick = Yardstick()
        kept = server.connect()
        while time.monotonic() < start + SECONDS or asked <= 20 and time.monotonic() < start + 60:
            for again in (True, False) if keep else (False,):
                yardstick.measure()
                starved, began = starved_s(server), time.monotonic()
                s = kept if again else server.connect()
                try:
                    s.sendall(request("/null"))
                except OSError:
                    pass
                late = time.monotonic() - began > LATE_S
                reply = ask(s, b"")
                took, starved = time.monotonic() - began, starved_s(server) - starved
                if check("a plain request", reply.status == 200 or late and s is not kept, reply.status, took):
                    asked += reply.status == 200
                worst, stood = max(worst, took - starved), stood + starved
                if s is not kept:
                    s.close()
        yardstick.end()
        bound = (3 if server.sanitized else 1) + 10 * yardstick.worst
        check("no plain request waited", worst < bound, worst, yardstick.worst, stood)
        seen = server.counters()
        print("%s: %d plain requests, worst %.0f ms; open %d, evicted %d; kept off the cores for %.1f s" %
              (" ".join(args) or "default limits", asked, worst * 1000, seen["open"], seen["evicted"], stood))
        check("so many plain requests", asked > 20, asked)
        stop.set()
        attacker.join(60)
        check("the attacker has ended", attacker.exitcode == 0, attacker.exitcode)
        wait_for("they are all gone", lambda: server.counters()["open"] <= 2, 60)
        before, start = server.cpu_s(), time.monotonic()
        check("quiet is quiet", not select.select([kept], [], [], 0.5)[0] or not keep, "")
        used = (server.cpu_s() - before) / (time.monotonic() - start)
        check("and costs nothing", used < 0.1, used)
        kept.close()


def waits_quietly():
    """Half requests of every kind must not make the loop spin."""
    with Server() as server:
        socks = []
        for octets in (b"", b"\r\n\r\n", HEAD, HEAD + b"X: " + b"a" * 6000, request("/full") * 10,
                       b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + b"x" * 30000,
                       b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n\r\n",
                       CHUNKED):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            s.connect(("127.0.0.1", server.port))
            s.sendall(octets)
            socks.append(s)
        wait_for("all accepted", lambda: server.counters()["open"] >= len(socks))
        before, start = server.cpu_s(), time.monotonic()
        select.select([], [], [], 0.6)
        used = (server.cpu_s() - before) / (time.monotonic() - start)
        check("half requests cost nothing", used < 0.1, used)
        for s in socks:
            s.close()


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
for n in (127, 128, 129, 256, 512, 1000) + ((10000,) if os.environ.get("SLUICE_LONG") else ()):
    ready_at_once(n)
memory_is_flat()
waits_quietly()
storm(True)
storm(False, "connections=%d" % (CLIENTS // 4))
done()
