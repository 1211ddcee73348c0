#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""DNS over TCP: pipelines, connections that keep others waiting, and no descriptor left for another."""
import os
import random
import resource
import select
import signal
import socket
import struct
import time

import dns.message
import dns.rcode

from dns_protocol import HOST, NAMES, framed, head, started, wire
from sluice import Sluice, run, wait_for


def octets(t, n):
    data = b""
    while len(data) < n:
        part = t.recv(n - len(data))
        if not part:
            raise ConnectionError("closed after %d of %d octets" % (len(data), n))
        data += part
    return data


def tcp_answer(t):
    return dns.message.from_wire(octets(t, struct.unpack("!H", octets(t, 2))[0]))


def closed(t):
    try:
        return t.recv(1) == b""
    except OSError:
        return True


def idle_and_dripping_connections():
    """RFC 7766 section 6.2.3: 1000 idle and 100 dripping ones keep nobody waiting."""
    with started() as s:
        idle = [socket.create_connection(("127.0.0.1", s.dns), timeout=60) for _ in range(1000)]
        drip = [socket.create_connection(("127.0.0.1", s.dns), timeout=60) for _ in range(100)]
        packet = framed(wire(HOST))
        worst = 0
        for i in range(20):
            for t in drip:
                try:
                    t.send(packet[i:i + 1])
                except OSError:
                    pass
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", s.dns), timeout=60) as t:
                t.sendall(packet + packet)  # pipelined
                assert [tcp_answer(t).rcode() for _ in range(2)] == [dns.rcode.NOERROR] * 2
            worst = max(worst, time.monotonic() - began)
        assert worst < 8, worst  # idle ones go after ten seconds: nobody waited for that
        for lie in (b"\0\0", b"\0\x0b", b"\xff\xff"):
            with socket.create_connection(("127.0.0.1", s.dns), timeout=60) as t:
                t.sendall(lie + b"x")
                try:
                    assert t.recv(1) == b""
                except ConnectionResetError:
                    pass
        wait_for("the idle ones closed", lambda: closed(idle[0]))
        for t in idle + drip:
            t.close()


def pipelines():
    """RFC 7766 6.2.1.1, 7: every question of a connection is answered, whole or in pieces, by its id."""
    kinds = ("A", "AAAA", "TXT", "HTTPS", "ANY", "SOA", "MX")
    asked = {}
    for i, name in enumerate(NAMES * 3):
        q = dns.message.make_query(name + "sluice.example", kinds[i % len(kinds)], id=1000 + i)
        asked[q.id] = q
    stream = b"".join(framed(q.to_wire()) for q in asked.values())
    rng = random.Random(7)
    with started() as s:
        for most in (len(stream), 700, 3):
            with socket.create_connection(("127.0.0.1", s.dns), timeout=60) as t:
                t.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                at = 0
                while at < len(stream):
                    n = rng.randrange(1, most + 1)
                    t.sendall(stream[at:at + n])
                    at += n
                left = dict(asked)
                while left:
                    r = tcp_answer(t)
                    assert left.pop(r.id).is_response(r), r
        # a question that is none ends nothing: the next is answered
        with socket.create_connection(("127.0.0.1", s.dns), timeout=60) as t:
            t.sendall(framed(head(0x0100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1") + framed(wire(HOST)))
            assert [tcp_answer(t).rcode() for _ in range(2)] == [dns.rcode.FORMERR, dns.rcode.NOERROR]
        # a length that is none ends the connection, behind the answers to what came before it
        for lie in (b"\0\0", b"\0\x0b", b"\xff\xff"):
            with socket.create_connection(("127.0.0.1", s.dns), timeout=20) as t:
                t.sendall(framed(wire(HOST)) * 2 + lie)
                assert [tcp_answer(t).rcode() for _ in range(2)] == [dns.rcode.NOERROR] * 2, lie
                assert closed(t), lie


UNWATCHED = "alerts: {doors_s: 0}"  # control asks no door from outside, which takes a descriptor now and then


def descriptors(pid):
    """How many there are, all below that number, when nobody is connected to a door of ours and nothing is
    being read; else 0."""
    try:
        open_now = {int(n): os.readlink("/proc/%d/fd/%s" % (pid, n)) for n in os.listdir("/proc/%d/fd" % pid)}
    except FileNotFoundError:  # one that was open for a moment
        return 0
    busy = any(x.endswith(".blob") for x in open_now.values())
    listeners = sum(x.startswith("socket:") for x in open_now.values()) == 3  # UDP, TCP, HTTP
    return len(open_now) if listeners and not busy and max(open_now) + 1 == len(open_now) else 0


def cpu_s(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def descriptors_run_out():
    """The oldest connection gives way to a new one; where there is none, who waits costs nothing."""
    with Sluice(extra=UNWATCHED) as s:
        pid = s.pids()["answer"]
        first = wait_for("nobody connected", lambda: descriptors(pid))
        most = resource.prlimit(pid, resource.RLIMIT_NOFILE)

        def connected():
            t = socket.create_connection(("127.0.0.1", s.dns), timeout=60)
            t.sendall(framed(wire(HOST)))
            return t
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (first + 1, most[1]))
        with connected() as old:
            assert tcp_answer(old).answer
            os.kill(pid, signal.SIGSTOP)
            new = connected()
            # its end comes in one look with the new one, which by then has its place
            old.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.kill(pid, signal.SIGCONT)
        with new:
            assert tcp_answer(new).answer
        wait_for("its end", lambda: descriptors(pid) == first)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (first, most[1]))
        with connected() as new:
            began, used = time.monotonic(), cpu_s(pid)
            while time.monotonic() < began + 2:
                assert s.query(HOST).answer  # UDP takes no descriptor
                time.sleep(0.05)
            assert cpu_s(pid) - used < (time.monotonic() - began) / 12, "it spins"
            assert not select.select([new], [], [], 0)[0], "there was a descriptor"
            resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
            assert tcp_answer(new).answer
        assert s.pids()["answer"] == pid


if __name__ == "__main__":
    run([pipelines, idle_and_dripping_connections, descriptors_run_out])
