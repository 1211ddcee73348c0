#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who the response rate limit holds back and who it lets through. Loopback never is held back, so this runs
in a net of its own, where lo has other addresses too; that takes root."""
import fcntl
import os
import socket
import struct
import subprocess
import sys

import dns.edns
import dns.flags
import dns.message
import dns.query

from sluice import Sluice, run, wait_for

SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1
MANY = 40
LIMIT = "dns: {rate_limit: {per_second: 1, slip: 2%s}}"


def give_addresses(nets):
    """lo up, and all addresses of 198.18.N.0/24 ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
        for n in nets:
            fcntl.ioctl(s, SIOCSIFADDR, struct.pack(
                "16sHH4s8x", b"lo:%d" % n, socket.AF_INET, 0, socket.inet_aton("198.18.%d.1" % n)))


def question(name, cookie=None):
    options = [dns.edns.GenericOption(10, cookie)] if cookie else None
    return dns.message.make_query(name + ".sluice.example", "A", use_edns=0, payload=1232, options=options)


def asked(s, source, cookie=None):
    """(whole answers, cut ones) to MANY equal questions at once; the answer to another one ends them."""
    many, last, got = question("ns1", cookie), question("not-there"), [0, 0]
    many.id, last.id = 1, 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.bind((source, 0))
        u.connect(("127.0.0.1", s.dns))
        u.settimeout(1)
        for _ in range(MANY):
            u.send(many.to_wire())
        while True:
            u.send(last.to_wire())  # may be held back itself
            try:
                while (r := dns.message.from_wire(u.recv(4096))).id != last.id:
                    got[bool(r.flags & dns.flags.TC)] += 1
                return tuple(got)
            except TimeoutError:
                continue


def is_held(got):
    return got[0] + got[1] < MANY and got[1] > 0


def cookie_for(s, source):
    q = question("ns1", b"12345678")
    r = dns.query.udp(q, "127.0.0.1", port=s.dns, source=source, timeout=60)
    return next((o.to_wire() for o in r.options if o.otype == 10), b"")


def who_has_shown_that_it_is_there_is_let_through():
    with Sluice(extra=LIMIT % ', exempt: ["198.18.4.0/24"]') as s:
        wait_for("the secret of cookies", lambda: len(cookie_for(s, "127.0.0.1")) == 24)
        # by a cookie that is its own
        cookie = cookie_for(s, "198.18.1.1")
        assert is_held(asked(s, "198.18.1.1"))
        assert asked(s, "198.18.1.1", cookie=cookie) == (MANY, 0)
        assert is_held(asked(s, "198.18.2.1", cookie=cookie)), "the cookie of another address"
        # by TCP, after which it needs none; its neighbours do
        assert is_held(asked(s, "198.18.3.1"))
        dns.query.tcp(question("ns1"), "127.0.0.1", port=s.dns, source="198.18.3.1", timeout=60)
        assert asked(s, "198.18.3.1") == (MANY, 0)
        assert is_held(asked(s, "198.18.3.2"))
        # by the list
        assert asked(s, "198.18.4.1") == (MANY, 0)
        for action in ("drop", "slip"):
            assert s.metric("sluice_dns_rrl_total", 'action="%s"' % action) > 0, action


def a_dry_run_counts_only():
    with Sluice(extra=LIMIT % ", dry_run: true") as s:
        assert asked(s, "198.18.1.1") == (MANY, 0)
        wait_for("the counters", lambda: s.metric("sluice_dns_rrl_total") > MANY / 2)


if __name__ == "__main__":
    if "--inside" not in sys.argv:
        if os.geteuid() or subprocess.run(["unshare", "--net", "true"], stderr=subprocess.DEVNULL,
                                          check=False).returncode:
            print("SKIP: a net of its own takes root")
            sys.exit(77)
        os.execvp("unshare", ["unshare", "--net", sys.executable, os.path.abspath(__file__), "--inside"])
    give_addresses(range(1, 5))
    run([who_has_shown_that_it_is_there_is_let_through, a_dry_run_counts_only])
