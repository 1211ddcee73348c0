#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""DNS as a client meets it: every rule a row with its RFC section, over real sockets; long because of that."""
import os
import random
import socket
import struct

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from sluice import BUILD, LONG, Sluice, run, wait_for

HOST = "live.sluice.example"
MORE = """
deep.a.b	A	192.0.2.77
*.wild	TXT	any
x.wild	A	192.0.2.98
sub	NS	ns.sub
sub	DS	12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ns.sub	A	192.0.2.54
bare	NS	ns.sub
*.star	CNAME	www
a.b.*.star	TXT	below
old	DNAME	new.test.
far	DNAME	%s.test.
drill	HTTPS	1 . alpn=h2
watch	CNAME	Live
pin	CNAME	drill
gone	CNAME	not.there
""" % ("n" * 60)


def started(extra="", **options):
    s = Sluice(extra=extra, **options)
    name = next(n for n in os.listdir(s.dir) if n.endswith(".zone"))
    s.write(name, s.read(name) + MORE)
    return s


def udp_socket(s):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.connect(("127.0.0.1", s.dns))
    u.settimeout(60)
    return u


def udp(s, packet):
    """The raw answer to raw octets, None when none comes before that of a second, good question."""
    with udp_socket(s) as u:
        u.send(packet)
        probe = dns.message.make_query("ns1.sluice.example", "A")
        probe.id = 0xbeef
        u.send(probe.to_wire())
        first = u.recv(65535)
        return None if first[:2] == b"\xbe\xef" and packet[:2] != b"\xbe\xef" else first


def wire(name, kind="A", **options):
    return dns.message.make_query(name, kind, **options).to_wire()


def head(flags, *counts):
    return struct.pack("!HHHHHH", 0x1234, flags, *counts)


Q = b"\4live\6sluice\7example\0\0\1\0\1"
OPT = b"\0\0\x29\x04\xd0\0\0\0\0"


def headers_and_questions():
    rows = [
        ("RFC 1035 4.1.1, short", b"\x12\x34\x01", None),
        ("over 2048 octets", head(0x0100, 1, 0, 0, 0) + Q + bytes(2100), None),
        ("a response", head(0x8100, 1, 0, 0, 0) + Q, None),
        ("RFC 8906 3.1.4, opcode 1", head(0x0900, 1, 0, 0, 0) + Q, "NOTIMP"),
        ("RFC 1996, notify", head(0x2000, 1, 0, 0, 0) + Q, "NOTIMP"),
        ("RFC 2136, update", head(0x2800, 1, 0, 0, 0) + Q, "NOTIMP"),
        ("RFC 8906 3.1.4, opcode 15", head(0x7800, 0, 0, 0, 0), "NOTIMP"),
        ("RFC 8906 3.1.3, flags", head(0x07f0, 1, 0, 0, 0) + Q, "NOERROR"),
        ("RFC 9619, no question", head(0x0100, 0, 0, 0, 0), "FORMERR"),
        ("RFC 9619, two questions", head(0x0100, 2, 0, 0, 0) + Q + Q, "FORMERR"),
        ("RFC 1035 4.1.4, pointer to itself", head(0x0100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", "FORMERR"),
        ("RFC 1035 4.1.4, loop", head(0x0100, 1, 0, 0, 0) + b"\1a\xc0\x0c\0\1\0\1", "FORMERR"),
        ("RFC 6891 5, label type", head(0x0100, 1, 0, 0, 0) + b"\x41a\0\0\1\0\1", "FORMERR"),
        ("RFC 1035 2.3.4, 256 octets", head(0x0100, 1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 3 +
         b"\x3e" + b"a" * 62 + b"\0\0\1\0\1", "FORMERR"),
        ("trailing octets", head(0x0100, 1, 0, 0, 0) + Q + b"\0", "FORMERR"),
        ("RFC 6891 6.1.1, two OPT", head(0x0100, 1, 0, 0, 2) + Q + (OPT + b"\0\0") * 2, "FORMERR"),
        ("RFC 6891 6.1.1, OPT among the answers", head(0x0100, 1, 1, 0, 0) + Q + OPT + b"\0\0", "FORMERR"),
        ("RFC 6891 6.1.1, OPT in the authority", head(0x0100, 1, 0, 1, 0) + Q + OPT + b"\0\0", "FORMERR"),
        ("RFC 6891 6.1.3, a code in a query", head(0x0100, 1, 0, 0, 1) + Q + OPT[:5] + b"\xff\0\0\0\0\0", "NOERROR"),
        ("RFC 8906 3.2.4, flags", head(0x0100, 1, 0, 0, 1) + Q + OPT[:7] + b"\xff\xff\0\0", "NOERROR"),
        ("RFC 1995 3, a record in the authority", head(0x0100, 1, 0, 1, 0) + Q + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd",
         "NOERROR"),
        ("RFC 1035 4.1.3, a record cut off", head(0x0100, 1, 0, 1, 0) + Q + b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4abc",
         "FORMERR"),
        ("RFC 1035 4.1.1, a record too few", head(0x0100, 1, 0, 0, 2) + Q + OPT + b"\0\0", "FORMERR"),
        ("RFC 8945: a TSIG is not ours to judge", head(0x0100, 1, 0, 0, 1) + Q + b"\1k\0\0\xfa\0\xff\0\0\0\0\0\x11\0" +
         bytes(16), "NOERROR"),
        ("RFC 2931: nor a SIG(0)", head(0x0100, 1, 0, 0, 1) + Q + b"\0\0\x18\0\xff\0\0\0\0\0\x14" + bytes(20), "NOERROR"),
        ("RFC 6891 6.1.3, version 255, an option of it", head(0x0100, 1, 0, 0, 1) + Q +
         b"\0\0\x29\x04\xd0\0\xff\0\0\0\5\0\x08\0\1\0", "BADVERS"),
        ("RFC 6891 6.1.3, version 1", head(0x0100, 1, 0, 0, 1) + Q + b"\0\0\x29\x04\xd0\0\1\0\0\0\0",
         "BADVERS"),
        ("RFC 8906 3.2.3, unknown option", head(0x0100, 1, 0, 0, 1) + Q + OPT + b"\0\4\xff\0\0\0",
         "NOERROR"),
        ("class CHAOS", head(0x0100, 1, 0, 0, 0) + b"\7version\4bind\0\0\x10\0\3", "REFUSED"),
        ("class NONE", head(0x0100, 1, 0, 0, 0) + Q[:-1] + b"\xfe", "REFUSED"),
        ("class ANY", head(0x0100, 1, 0, 0, 0) + Q[:-1] + b"\xff", "REFUSED"),
        ("RFC 7871 6, family 9", head(0x0100, 1, 0, 0, 1) + Q + OPT + b"\0\x08\0\x08\0\4\0\x09\0\0",
         "FORMERR"),
        ("RFC 7871 6, a bit beyond", head(0x0100, 1, 0, 0, 1) + Q + OPT +
         b"\0\x0b\0\x08\0\7\0\1\x17\0\x0a\1\1", "FORMERR"),
        ("RFC 7871 6, scope in a query", head(0x0100, 1, 0, 0, 1) + Q + OPT +
         b"\0\x0b\0\x08\0\7\0\1\x18\x18\x0a\1\1", "FORMERR"),
    ]
    with started() as s:
        for why, packet, want in rows:
            got = udp(s, packet)
            if want is None:
                assert got is None, (why, got)
                continue
            assert got and got[:2] == packet[:2] and got[2] & 0x80, (why, got)
            assert got[3] & 0xf0 == 0, (why, "RA, Z, AD and CD are clear")
            assert got[2] & 0x78 == packet[2] & 0x78, (why, "the opcode comes back")
            if want == "NOTIMP":  # the header alone: the rest may be of another form
                assert got[3] & 15 == dns.rcode.NOTIMP and len(got) == 12, (why, got)
            else:
                r = dns.message.from_wire(got)
                assert dns.rcode.to_text(r.rcode()) == want and not r.ednsflags & 0x7fff, (why, r)
                assert want != "NOERROR" or r.edns == (0 if OPT[:3] in packet else -1), (why, r)
        # RFC 5452 section 9.2 / 0x20: the case comes back
        got = udp(s, head(0x0100, 1, 0, 0, 0) + Q.replace(b"live", b"LiVe").replace(b"ex", b"EX"))
        assert b"\4LiVe\6sluice\7EXample\0" in got
        assert s.metric("sluice_dns_dropped_total") == 3


def answers():
    def text(r):
        return " ".join(x.to_text() for part in (r.answer, r.authority) for x in part)
    rows = [
        ("RFC 2308 2.1", "no", "A", "NXDOMAIN", "60 IN SOA"),
        ("RFC 2308 2.2", "ns1", "TXT", "NOERROR", "60 IN SOA"),
        ("RFC 4592 2.2.2", "a.b", "A", "NOERROR", "60 IN SOA"),
        ("RFC 4592 3.3.1", "q.r.wild", "TXT", "NOERROR", 'q.r.wild.sluice.example. 300 IN TXT "any"'),
        ("RFC 4592, hidden", "x.wild", "TXT", "NOERROR", "60 IN SOA"),
        ("RFC 4592 4.3", "q.star", "A", "NOERROR", "q.star.sluice.example. 300 IN CNAME www.sluice.example. "
         "www.sluice.example. 300 IN A 192.0.2.80"),
        ("RFC 4592 4.9, its own name", "*.star", "CNAME", "NOERROR", "*.star.sluice.example. 300 IN CNAME www"),
        ("RFC 4592 4.9, below an empty one", "q.b.*.star", "A", "NXDOMAIN", "60 IN SOA"),
        ("RFC 6672 3.2, too long", ".".join(["l" * 50] * 4) + ".far", "A", "YXDOMAIN", "far.sluice.example. 300 IN DNAME"),
        ("RFC 6672 3", "x.old", "A", "NOERROR", "x.old.sluice.example. 300 IN CNAME x.new.test."),
        ("RFC 1034 3.6.2", "alias", "A", "NOERROR", "CNAME www.sluice.example."),
        ("RFC 1034 4.3.2, on in the zone", "alias", "A", "NOERROR", "www.sluice.example. 300 IN A 192.0.2.80"),
        ("RFC 1034 4.3.2, to a host", "watch", "A", "NOERROR", "Live.sluice.example. 20 IN CNAME live."),
        ("RFC 1034 4.3.2, to addresses", "pin", "A", "NOERROR", "drill.sluice.example. 20 IN A "),
        ("RFC 9460 2.4.2, to a host", "pin", "HTTPS", "NOERROR", 'alpn="h2" ipv4hint="'),
        ("RFC 2308 2.1, RFC 6604 3", "gone", "A", "NXDOMAIN", "60 IN SOA"),
        ("RFC 1034 3.6.2, asked for", "alias", "CNAME", "NOERROR", "CNAME www.sluice.example."),
        ("RFC 8482 4.2", "ns1", "ANY", "NOERROR", 'HINFO "RFC8482" ""'),
        ("RFC 5936", "", "AXFR", "REFUSED", ""),
        ("RFC 1995", "", "IXFR", "REFUSED", ""),
        ("RFC 4035 3.1.4.1, none", "bare", "DS", "NOERROR", "60 IN SOA"),
        ("RFC 4035 3.1.4.1, of the apex", "", "DS", "NOERROR", "60 IN SOA"),
        ("RFC 6895 3.1", "ns1", "OPT", "FORMERR", ""),
        ("RFC 6895 3.1", "ns1", "TSIG", "NOTIMP", ""),
        ("RFC 6895 3.1", "ns1", "TKEY", "NOTIMP", ""),
        ("RFC 6895 3.1", "ns1", "MAILB", "NOTIMP", ""),
        ("RFC 9824 3.4", "ns1", "TYPE128", "FORMERR", ""),
        ("RFC 4035 3.1.4.1", "sub", "DS", "NOERROR", "IN DS 12345 13 2"),
        ("RFC 8906 3.1.2", "ns1", "TYPE1000", "NOERROR", "60 IN SOA"),
        ("RFC 9460 7.3", "drill", "HTTPS", "NOERROR", 'alpn="h2" ipv4hint="'),
    ]
    with started() as s:
        for why, name, kind, rcode, want in rows:
            for tcp in (False, True):
                q = dns.message.make_query((name + "." if name else "") + "sluice.example", kind)
                ask = dns.query.tcp if tcp else dns.query.udp
                r = ask(q, "127.0.0.1", port=s.dns, timeout=60)
                assert dns.rcode.to_text(r.rcode()) == rcode and want in text(r), (why, tcp, r)
        r = s.query("x.y.sub.sluice.example")  # RFC 1034 4.3.2: a referral with glue (RFC 9471)
        assert not r.flags & dns.flags.AA and not r.answer and r.additional, r
        a = {str(x) for x in s.query("drill.sluice.example").answer[0]}
        h = s.query("drill.sluice.example", "HTTPS").answer[0][0]
        assert {str(x) for x in h.params[4].addresses} == a, (a, h)
        # the apex is not a host, and what is no name of ours is refused with a reason (RFC 8914)
        r = s.query("example.org")
        assert r.rcode() == dns.rcode.REFUSED and [o.otype for o in r.options] == [15], r


def client_subnets():
    rows = [("58.60.1.0", 24), ("58.60.0.0", 16), ("58.60.1.2", 32), ("2001:db8:1::", 48),
            ("2001:db8:1:2::", 64)]
    with started() as s:
        for address, bits in rows:
            option = dns.edns.ECSOption(address, bits)
            r = s.query(HOST, ecs=(address, bits))
            got = [o for o in r.options if isinstance(o, dns.edns.ECSOption)]
            assert len(got) == 1 and got[0].srclen == bits and got[0].address == option.address, r
            assert got[0].scopelen >= (24 if option.family == 1 else 56), r
            behind = s.query("watch.sluice.example", ecs=(address, bits))  # a CNAME has the host's scope
            assert behind.options == r.options, (r, behind)
            for name, kind in (("ns1.sluice.example", "A"), ("no.sluice.example", "A"),
                               (HOST.replace("live", "drill"), "MX")):
                r = s.query(name, kind, ecs=(address, bits))
                assert [o.scopelen for o in r.options] == [0], r  # RFC 7871 sections 7.2.1, 7.4
        assert s.query(HOST).options == ()  # none asked for, none given
        r = s.query(HOST, ecs=("0.0.0.0", 0))
        assert [(o.srclen, o.scopelen) for o in r.options] == [(0, 0)], r


def number_order_and_ttl():
    """Of addresses, per service; HTTPS hints and HTTPDNS have the order that A has."""
    for order in ("listed", "rotated"):
        s = started()
        s.write("catalog.yaml", s.read("catalog.yaml").replace(
            "    dns: address\n    ttl_s: 20\n", "    dns: address\n    ttl_s: 7\n    addresses: 3\n    order: %s\n" % order))
        with s:
            begins = set()
            for i in range(96):
                address = "10.%d.7.0" % i
                r = s.query("drill.sluice.example", ecs=(address, 24))
                got = [str(x) for x in r.answer[0]]
                net, first = got[0].rsplit(".", 1)
                begins.add(int(first))
                assert r.answer[0].ttl in (7, 1) and got == [  # a quarter while shares move
                    "%s.%d" % (net, 11 + (int(first) - 11 + k) % 8) for k in range(3)], r
                for _ in range(2):  # the same for the same client, whatever asks and whoever remembers
                    assert [str(x) for x in s.query("drill.sluice.example", ecs=(address, 24)).answer[0]] == got
                    hints = s.query("drill.sluice.example", "HTTPS", ecs=(address, 24)).answer[0][0].params[4]
                    assert list(hints.addresses) == got, (hints, got)
                assert s.resolve("drill.sluice.example", ip=address)["answers"][0]["ips"][:3] == got
            assert begins == ({11} if order == "listed" else set(range(11, 19))), (order, begins)


def with_options(*options, name=b"\0", klass=1232):
    """A question for live with an OPT record of these (code, octets)."""
    data = b"".join(struct.pack("!HH", code, len(octets)) + octets for code, octets in options)
    return head(0x0100, 1, 0, 0, 1) + Q + name + struct.pack("!HHIH", 41, klass, 0, len(data)) + data


def options():
    """Options that are wrong are FORMERR; one that comes twice is answered once."""
    def ecs(family, source, scope, octets):
        return 8, struct.pack("!HBB", family, source, scope) + octets
    good = ecs(1, 24, 0, b"\x3a\x3c\1")
    rows = [
        ("RFC 7871 6, over 32", with_options(ecs(1, 33, 0, bytes(5))), "FORMERR"),
        ("RFC 7871 6, over 128", with_options(ecs(2, 129, 0, bytes(17))), "FORMERR"),
        ("RFC 7871 6, an octet missing", with_options(ecs(1, 24, 0, b"\x3a\x3c")), "FORMERR"),
        ("RFC 7871 6, an octet more", with_options(ecs(1, 24, 0, b"\x3a\x3c\1\0")), "FORMERR"),
        ("RFC 7871 6, three octets", with_options((8, b"\0\1\x18")), "FORMERR"),
        ("RFC 7871 6, empty", with_options((8, b"")), "FORMERR"),
        ("RFC 7871 6, family 0 with bits", with_options(ecs(0, 8, 0, b"\x0a")), "FORMERR"),
        ("RFC 7871 7.1.2, source 0", with_options(ecs(1, 0, 0, b"")), "NOERROR"),
        ("RFC 7873 5.2.2, 7 octets", with_options((10, bytes(7))), "FORMERR"),
        ("RFC 7873 5.2.2, 9 octets", with_options((10, bytes(9))), "FORMERR"),
        ("RFC 7873 5.2.2, 15 octets", with_options((10, bytes(15))), "FORMERR"),
        ("RFC 7873 5.2.2, 41 octets", with_options((10, bytes(41))), "FORMERR"),
        ("RFC 7873 5.2.3, a client's part", with_options((10, b"12345678")), "NOERROR"),
        ("RFC 7873 5.2.4, a server's part of another", with_options((10, bytes(40))), "NOERROR"),
        ("RFC 6891 6.1.1, OPT with a name", with_options(name=b"\1a\0"), "FORMERR"),
        ("RFC 6891 6.1.2, an option over the end", with_options()[:-2] + b"\0\6\0\3\0\5ab", "FORMERR"),
        ("RFC 6891 6.1.2, half a head", with_options()[:-2] + b"\0\3\0\3\0", "FORMERR"),
        ("RFC 7830, RFC 7828, RFC 7314: not ours", with_options((12, bytes(9)), (11, b""), (9, b"")), "NOERROR"),
        ("twice", with_options(good, (10, b"12345678"), (3, b""), good, (3, b""), (10, b"87654321")), "NOERROR"),
    ]
    with started(extra="dns: {nsid: node-1}") as s:
        wait_for("the secret of cookies", lambda: cookie_of(s.query(HOST, options=[
            dns.edns.GenericOption(10, b"12345678")])))
        for why, packet, want in rows:
            r = dns.message.from_wire(udp(s, packet))
            assert dns.rcode.to_text(r.rcode()) == want, (why, r)
        # RFC 7871 7.1.2, family 0: dnspython does not read it
        raw = udp(s, with_options(ecs(0, 0, 0, b"")))
        assert raw[3] & 15 == 0 and raw.endswith(b"\0\x08\0\4\0\0\0\0"), raw
        assert sorted(int(o.otype) for o in r.options) == [3, 8, 10], r
        assert [o.scopelen for o in r.options if int(o.otype) == 8] == [24], r
        assert cookie_of(r)[:8] == b"12345678", "the first counts"


def sizes():
    """RFC 6891 6.2.5, RFC 2181 9: at most 512, what was offered and 1232 over UDP, else TC and nothing."""
    secret = b"12345678"
    with started() as s:
        good = wait_for("a cookie", lambda: cookie_of(s.query(HOST, options=[
            dns.edns.GenericOption(10, secret)])))
        for payload in (None, 0, 511, 512, 1000, 1232, 1233, 4096, 65535):
            q = dns.message.make_query("big.sluice.example", "TXT")
            if payload is not None:
                q.use_edns(0, payload=payload, options=[dns.edns.GenericOption(10, good)])
            raw = udp(s, q.to_wire())
            r = dns.message.from_wire(raw)
            assert r.flags & dns.flags.TC and not r.answer and not r.authority, (payload, r)
            assert len(raw) <= max(512, min(payload or 512, 1232)) and len(r.additional) == 0
            whole = dns.query.tcp(q, "127.0.0.1", port=s.dns, timeout=60)
            assert not whole.flags & dns.flags.TC and len(whole.answer) == 1, (payload, whole)


def cookie_of(r):
    return next((o.data for o in r.options if o.otype == 10), None)


def cookies_and_names():
    secret = "e5e973e5a6b2a43f48e7dc849e37bfcf"
    client = b"\1\2\3\4\5\6\7\x08"

    def ask(s, cookie, name="wide.sluice.example"):
        return s.query(name, "TXT", options=[dns.edns.GenericOption(10, cookie),
                                             dns.edns.GenericOption(3, b"")])

    def node(text):
        s = started(extra="dns: {nsid: node-1}")
        os.makedirs(s.state, exist_ok=True)
        if text:
            with open(os.path.join(s.state, "dns-cookie.secret"), "w", encoding="ascii") as f:
                f.write(text)
        name = next(n for n in os.listdir(s.dir) if n.endswith(".zone"))
        s.write(name, s.read(name) + "wide TXT ( %s )\n" % " ".join(['"%s"' % ("w" * 200)] * 4))
        return s
    with node(secret + "\n") as a, node("# new, then old\n%s\n%s\n" % ("00" * 16, secret)) as b:
        r = ask(a, client)
        assert r.flags & dns.flags.TC and not r.answer, r  # 10 x without a server's part
        full = cookie_of(r)
        assert full[:8] == client and full[8:12] == b"\1\0\0\0" and len(full) == 24, full
        assert [o.data for o in r.options if o.otype == 3] == [b"node-1"]
        for s in (a, b):  # RFC 9018 section 5: machines that share a secret, and a rotated one
            assert not ask(s, full).flags & dns.flags.TC
        assert ask(b, full[:-1] + bytes([full[-1] ^ 1])).flags & dns.flags.TC
        assert cookie_of(ask(b, full))[8:] != full[8:]
    with node(None) as s:  # one that nobody gave is made, and is nobody else's to read
        path = os.path.join(s.state, "dns-cookie.secret")
        assert os.stat(path).st_mode & 0o777 == 0o400
        first = wait_for("a cookie", lambda: cookie_of(ask(s, client, "ns1.sluice.example")))
        assert len(first) == 24 and ask(s, full).flags & dns.flags.TC
        with open(path, encoding="ascii") as f:
            old = f.read()
        os.chmod(path, 0o600)
        with open(path, "w", encoding="ascii") as f:  # RFC 7873 section 7.1: a new one, the old is taken
            f.write(secret + "\n" + old)
        s.ctl("reload")
        wait_for("the secret taken", lambda: not ask(s, full).flags & dns.flags.TC)
        assert not ask(s, first).flags & dns.flags.TC


NAMES = ("", "big.", "live.", "drill.", "sub.", "x.y.sub.", "x.old.", "no.", "_sluice.live.", "www.", "alias.",
         "watch.", "pin.", "gone.", "z.wild.", "a.b.", "mail.", "_sip._udp.", "ns1.")


def amplification():
    """Whatever is asked without a cookie, the answer is at most ten times as long: every name by every
    type of 8 bits and some others, and at random."""
    rng = random.Random(3)
    with started() as s, udp_socket(s) as u:
        for name in NAMES:
            plain = bytearray(dns.message.make_query(name + "sluice.example", "A").to_wire())
            for kind in [*range(260), 32768, 32769, 65280, 65535]:
                plain[-4:-2] = struct.pack("!H", kind)
                for more in (b"", OPT + b"\0\0", OPT + b"\0\4\0\3\0\0"):
                    packet = bytes(plain[:10]) + struct.pack("!H", bool(more)) + bytes(plain[12:]) + more
                    u.send(packet)
                    got = u.recv(65535)
                    assert len(got) <= 10 * len(packet) and got[:2] == packet[:2], (name, kind, more, len(got))
        for _ in range(2000):
            name = rng.choice(NAMES)
            q = dns.message.make_query(name + "sluice.example",
                                       rng.choice(("A", "TXT", "NS", "ANY", "SOA", "HTTPS", "MX")))
            if rng.random() < 0.5:
                q.use_edns(0, payload=rng.choice((0, 512, 1232, 65535)),
                           options=[dns.edns.GenericOption(3, b"")] * rng.randrange(2))
            packet = q.to_wire()
            u.send(packet)
            assert len(u.recv(65535)) <= 10 * len(packet), q


def rate_limit():
    with started(extra="dns: {rate_limit: {per_second: 1, slip: 2}}") as s:
        for _ in range(200):
            r = s.query("ns1.sluice.example")
            assert r.answer and not r.flags & dns.flags.TC, r  # loopback is counted, never dropped
        held = wait_for("counters", lambda: s.metric("sluice_dns_rrl_total", 'action="drop"'))
        assert held + s.metric("sluice_dns_rrl_total", 'action="slip"') >= 150


def framed(packet):
    return struct.pack("!H", len(packet)) + packet


def mutated(rng, packet):
    p = bytearray(packet)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(p)) if p else 0
        kind = rng.randrange(5)
        if kind == 0 and p:
            p[at] = rng.randrange(256)
        elif kind == 1 and p:
            p[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del p[at:at + rng.randrange(1, 8)]
        elif kind == 3:
            p[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 8)))
        else:
            p = p[:at]
    return bytes(p)


def seeds():
    found = []
    for name in ("", "live.", "drill.", "big.", "x.old.", "a.sub.", "z.wild.", "_sluice.live.", "no."):
        for kind in ("A", "AAAA", "TXT", "HTTPS", "ANY"):
            q = dns.message.make_query(name + "sluice.example", kind, use_edns=0, payload=1232, options=[
                dns.edns.ECSOption("58.60.1.0", 24), dns.edns.GenericOption(10, b"12345678"),
                dns.edns.GenericOption(3, b"")])
            found += [q.to_wire(), wire(name + "sluice.example", kind)]
    return found


def well_formed(packet, most):
    assert 12 <= len(packet) <= most and packet[2] & 0x80, packet
    if len(packet) == 12:  # header alone, of an opcode that dnspython may not know
        assert packet[4:] == bytes(8), packet
        return
    try:
        dns.message.from_wire(packet)
    except dns.exception.DNSException as why:
        raise AssertionError("%s: %s" % (why, packet)) from why


def resident_kb(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))


def sanitized():
    with open(os.path.join(BUILD, "config.h"), encoding="ascii") as f:
        return "#define SL_SANITIZE 1" in f.read()


def mutations():
    """200 000 over UDP and 20 000 over TCP in a long run: no death, no malformed answer, no growth."""
    n_udp, n_tcp = (200000, 20000) if LONG else (2000, 200)
    rng, good = random.Random(11), seeds()
    with started() as s, udp_socket(s) as u:
        pids = s.pids()
        u.setblocking(False)

        def drain():
            try:
                while True:
                    well_formed(u.recv(65535), 1232)
            except BlockingIOError:
                pass

        def storm(n, m):
            for _ in range(n):
                u.send(mutated(rng, rng.choice(good)))
                drain()
            for _ in range(m):
                with socket.create_connection(("127.0.0.1", s.dns), timeout=60) as t:
                    t.sendall(mutated(rng, framed(rng.choice(good)) + framed(rng.choice(good))))
                    t.shutdown(socket.SHUT_WR)
                    data = b""
                    try:
                        while part := t.recv(65535):
                            data += part
                    except ConnectionResetError:
                        continue
                    while len(data) > 2:
                        n_octets = struct.unpack("!H", data[:2])[0]
                        well_formed(data[2:2 + n_octets], 65535)
                        data = data[2 + n_octets:]
        storm(n_udp // 2, n_tcp // 2)
        before = resident_kb(pids["answer"])
        storm(n_udp // 2, n_tcp // 2)
        if not sanitized():  # they keep what was freed
            assert resident_kb(pids["answer"]) < before + 4096
        assert s.pids() == pids, "a process fell"
        assert s.query(HOST).answer


if __name__ == "__main__":
    run([headers_and_questions, answers, number_order_and_ttl, client_subnets, options, sizes, cookies_and_names, amplification,
         rate_limit, mutations])
