#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""For how much of the net and how long resolvers are told to keep an answer (RFC 7871 section 7.2.1):
as much as a part of a vendor's room allows, and for a quarter of the TTL while something moves."""
import dns.edns

from sluice import Sluice, run, wait_for

TELECOM = "202.96.128."  # CN/GD/telecom by geo/nets.csv
NETS = {"192.0.2": "alpha", "198.51.100": "beta", "203.0.113": "gamma"}


def demo(**lines):
    """The demo whose drill has these lines more, ttl_s among them."""
    s = Sluice()
    text = s.read("catalog.yaml")
    more = "".join("    %s: %s\n" % row for row in {"ttl_s": 20, **lines}.items())
    head, found, tail = text.partition("    dns: address\n    ttl_s: 20\n")
    assert found
    s.write("catalog.yaml", head + "    dns: address\n" + more + tail)
    return s


def meters(s, alpha=1000000, beta=2500000, gamma=500000):
    for vendor, mbps in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        s.ctl("meter", "push", vendor, str(mbps))
    s.tick()


def asked(s, bits=24, address=TELECOM + "0", kind="A"):
    """(TTL, scope, vendor) for a client of so many bits; scope None where no subnet came back."""
    r = s.query("drill.sluice.example", kind, ecs=(address, bits) if bits else None)
    scope = [o.scopelen for o in r.options if isinstance(o, dns.edns.ECSOption)]
    first = str(r.answer[0][0])
    return r.answer[0].ttl, scope[0] if scope else None, NETS[first.rsplit(".", 1)[0]]


def an_answer_brings_no_more_than_its_part():
    # 2000 sessions of 3 Mbps stand behind an answer for a /24: 6 Gbps. One in 10000 of the free rooms
    # is 1.27, 1.32 and 0.83 Gbps: 6 / 2^3 is below all of them, 6 / 2^2 above: a /27.
    with demo(dns_viewers=2000, dns_answer_part=0.0001) as s:
        meters(s)
        wait_for("the narrow scope", lambda: asked(s)[1] == 27)
        # source, TTL, scope: kept for a wider block, it is kept for half as long for each bit
        for bits, ttl, scope in ((24, 2, 27), (25, 5, 27), (26, 10, 27), (27, 20, 27), (28, 20, 28),
                                 (32, 20, 32), (20, 1, 27), (16, 1, 27), (0, 2, None)):
            assert asked(s, bits, TELECOM + "64")[:2] == (ttl, scope), (bits, asked(s, bits))
        r = s.query("drill.sluice.example", "A", ecs=("2001:db8:1::", 56))
        assert r.options[0].scopelen == 59 and r.answer[0].ttl == 2, r  # RFC 7871 section 11.1: a /56
        assert s.explain_txt(TELECOM + "0", "drill.sluice.example")["ecs"] == [27]
        told = s.ctl("explain", "--ip", TELECOM + "1", "--host", "drill.sluice.example")
        assert told["scope"] == 32, told
        # the parts of one /24 are given to the vendors by their shares, and scopes never overlap
        found = {asked(s, 32, TELECOM + str(i))[2] for i in range(0, 256, 8)}
        assert len(found) >= 2, found
        for part in range(0, 256, 32):
            same = {asked(s, 27 + i, TELECOM + str(part))[2] for i in range(6)}
            assert len(same) == 1, (part, same)
        # HTTP gives what DNS gives
        body = s.resolve("drill.sluice.example", ip=TELECOM + "200")
        assert body["answers"][0]["vendor"] == asked(s, 32, TELECOM + "200")[2], body
        # static data and negative answers stay for everybody
        for name, kind in (("drill.sluice.example", "MX"), ("ns1.sluice.example", "A")):
            r = s.query(name, kind, ecs=(TELECOM + "0", 24))
            assert r.options[0].scopelen == 0, r
        # live has one session behind an answer
        r = s.query("live.sluice.example", "A", ecs=(TELECOM + "0", 24))
        assert r.options[0].scopelen == 24 and r.answer[0].ttl == 20, r
        # with the default of 1 % the rooms are wide enough
        s.write("catalog.yaml", s.read("catalog.yaml").replace("    dns_answer_part: 0.0001\n", ""))
        s.ctl("reload")
        wait_for("a whole /24 again", lambda: asked(s)[:2] == (20, 24))
        # and a wide prefix is kept as long as its vendor's room lets it: 6 Gbps for a /24 make a /20 of
        # 127 and of 132 Gbps, a /21 of 83 Gbps
        wants = {"alpha": 20, "beta": 20, "gamma": 21}
        for bits in range(18, 25):
            ttl, scope, vendor = asked(s, bits)
            assert (ttl, scope) == (20 >> max(0, wants[vendor] - bits), 24), (bits, ttl, scope, vendor)


def answers_are_short_lived_while_something_moves():
    with demo(ttl_s=4) as s:
        calm = 4

        def ttl(want, why):
            wait_for("%s: %d s" % (why, want), lambda: asked(s)[0] == want, 90)
            wait_for("over HTTPDNS too", lambda: s.resolve("drill.sluice.example", ip=TELECOM + "9")["ttl"] == want)

        meters(s)
        ttl(calm, "nothing moves")
        s.ctl("vendor", "drain", "gamma", "--confirm", "gamma")
        ttl(1, "a vendor drains")
        s.ctl("vendor", "resume", "gamma")
        ttl(calm, "it is back, and its share with it")
        s.ctl("blacklist", "add", "gamma", "--groups", "CN/GD/*", "--confirm", "gamma")
        ttl(1, "a vendor is blacklisted here")
        wait_for("elsewhere it is not", lambda: s.query(
            "drill.sluice.example", "A", ecs=("8.8.8.0", 24)).answer[0].ttl == calm)
        s.ctl("blacklist", "remove", "gamma")
        ttl(calm, "it is not any more")
        s.ctl("vendor", "weight", "alpha", "0.01", "--ramp", "20s", "--confirm", "alpha")
        ttl(1, "shares run away from what caches hold")
        ttl(calm, "they have arrived")
        s.ctl("vendor", "weight", "alpha", "off", "--confirm", "alpha")
        ttl(1, "and back at once")
        ttl(calm, "which is over a few TTL later")
        meters(s, alpha=14000000)
        ttl(1, "one is at its maximum: the others' shares move with every tick")
        meters(s)
        ttl(calm, "there is room again")


if __name__ == "__main__":
    run([an_answer_brings_no_more_than_its_part, answers_are_short_lived_while_something_moves])
