#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The harvest of a real daemon from a DNS server on loopback that answers by client subnet, and one
that lies; addresses in the vendor's order, no longer than TTL and grace."""
import http.server
import re
import socket
import threading
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

import sluice
from sluice import Clock, Sluice, udp_and_tcp, wait_for

CATALOG = """vendors:
  - name: alpha
    guaranteed_mbps: 1000
    max_mbps: 20000
    harvest: {host: live.alpha.example, servers: ["127.0.0.1:%d"], groups: [%s], grace_s: %d, min_ttl_s: 1, timeout_ms: 3000, rate_per_s: 1000}
services:
  - name: live
    hosts: [live.sluice.example]
    vendors: [{vendor: alpha, cname: live.alpha.example.}]
zones: [{name: sluice.example, file: sluice.example.zone}]
"""
GUANGDONG, BEIJING = "202.96.128.86", "111.192.0.20"


class Server:
    """Answers live.alpha.example by the /16 of the subnet, last octets in an order of its own."""

    def __init__(self):
        self.socket, self.tcp = udp_and_tcp()
        self.socket.settimeout(0.2)
        self.port = self.socket.getsockname()[1]
        self.ttl, self.lie, self.asked, self.running = 2, None, [], True
        self.over_tcp = 0
        self.order, self.net = (9, 3, 7), "10"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while self.running:
            try:
                octets, peer = self.socket.recvfrom(4096)
            except socket.timeout:
                continue
            for reply in self.answer(dns.message.from_wire(octets)):
                self.socket.sendto(reply if isinstance(reply, bytes) else reply.to_wire(), peer)
        self.socket.close()

    def listen_tcp(self, lie):
        """Answers over TCP too, on the same port, with lies of its own."""
        self.tcp.listen(64)
        self.tcp.settimeout(0.2)

        def serve():
            while self.running:
                try:
                    c, _ = self.tcp.accept()
                except socket.timeout:
                    continue
                except OSError:
                    return
                with c:
                    c.settimeout(2)
                    try:
                        q = dns.message.from_wire(c.recv(int.from_bytes(c.recv(2, socket.MSG_WAITALL), "big"), socket.MSG_WAITALL))
                    except (OSError, dns.exception.DNSException):  # on a busy machine it has given up
                        continue
                    self.over_tcp += 1
                    for reply in self.answer(q, lie):
                        octets = reply if isinstance(reply, bytes) else reply.to_wire()
                        c.sendall(len(octets).to_bytes(2, "big") + octets)
        threading.Thread(target=serve, daemon=True).start()

    def answer(self, q, lie="as over UDP"):
        lie = self.lie if lie == "as over UDP" else lie
        ecs = [o for o in q.options if isinstance(o, dns.edns.ECSOption)]
        name, kind = q.question[0].name, q.question[0].rdtype
        self.asked.append((time.time(), name.to_text(), kind, ecs[0].address if ecs else None))
        if lie == "silence":
            return []
        r = dns.message.make_response(q)
        r.use_edns(0, payload=1232, options=[] if lie == "no subnet" else [
            dns.edns.ECSOption("10.0.0.0" if lie == "other subnet" else ecs[0].address, ecs[0].srclen, 20)])
        if lie == "servfail":
            r.set_rcode(dns.rcode.SERVFAIL)
            return [r]
        a, b = ecs[0].address.split(".")[:2] if ecs[0].family == 1 else ("6", "6")
        if kind == dns.rdatatype.A:
            final, ips = "A", ["%s.%s.%s.%d" % (self.net, a, b, i) for i in self.order]
        else:
            final, ips = "AAAA", ["2001:db8:%s:%s::%d" % (a, b, i) for i in self.order]
        if lie != "empty":
            r.answer = [dns.rrset.from_text(name, 300, "IN", "CNAME", "edge.alpha.example."),
                        *(dns.rrset.from_text("edge.alpha.example.", self.ttl, "IN", final, ip) for ip in ips),
                        dns.rrset.from_text("other.example.", 1, "IN", final, ips[0])]
        if lie == "cut":
            r.flags |= dns.flags.TC
            r.answer = r.answer[:1]
        if lie == "garbage":
            return [r.to_wire()[:20] + b"\xff" * 20]
        if lie == "stray":  # another id first, another name, then the true one
            other = dns.message.make_response(dns.message.make_query("evil.example.", kind))
            other.id = q.id
            other.answer = [dns.rrset.from_text("evil.example.", 300, "IN", final, ips[0])]
            wrong = dns.message.make_response(q)
            wrong.id = q.id ^ 1
            return [wrong, other, r]
        return [r]

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.running = False
        self.tcp.close()


def daemon(server, groups='"CN/GD/*", "CN/BJ/*"', grace=2):
    return Sluice(prepare={"catalog.yaml": (CATALOG % (server.port, groups, grace)).encode()})


def ips(d, address, **more):
    return d.resolve(ip=address, client="c", **more)["answers"][0]["ips"]


def want(address, order=(9, 3, 7)):
    a, b = address.split(".")[:2]
    return ["10.%s.%s.%d" % (a, b, i) for i in order]


def group_of(d, address):
    return d.resolve(ip=address)["group"]


def each_group_gets_its_own_edges():
    with Server() as s, daemon(s, grace=8) as d:
        s.ttl = 8
        wait_for("harvested", lambda: len(ips(d, GUANGDONG)) == 6)
        wait_for("harvested", lambda: len(ips(d, BEIJING)) == 6)
        wait_for("all are", lambda: all(len(e["ips"]) == 6 for e in d.ctl("harvest", "show")["edges"]))
        here, there = ips(d, GUANGDONG), ips(d, BEIJING)
        shown = {e["group"]: e for e in d.ctl("harvest", "show")["edges"]}
        for address, got in ((GUANGDONG, here), (BEIJING, there)):
            e = shown[group_of(d, address)]
            assert got[:3] == [i for i in e["ips"] if ":" not in i], (got, e)
            assert [i.rsplit(".", 1)[1] for i in got[:3]] == ["9", "3", "7"], got
            assert e["left_s"] <= 16 and e["age_s"] < 16, e
        assert here != there
        # every subnet that was asked for lies in its group, and DNS answers the same addresses
        by_net = {a[3] for a in s.asked}
        for group, e in shown.items():
            nets = [n for n in by_net if n and group_of(d, n) == group]
            assert nets and any(e["ips"] and e["ips"][0] == want(n)[0] for n in nets), (group, nets, e)
        reply = d.query("live.sluice.example", "A", ecs=(GUANGDONG, 24))
        assert [r.to_text() for r in reply.answer[0]][:3] == here[:3] or \
            {r.to_text() for r in reply.answer[0]} == set(here[:3]), reply
        six = ips(d, GUANGDONG, type="AAAA")
        assert six and all(i.startswith("2001:db8:") for i in six), six
        assert d.resolve(ip="8.8.8.8")["answers"][0]["ips"] == [], "a group that is not harvested has its CNAME"
        d.ctl("switch", "set", "harvest", "off")
        wait_for("none", lambda: ips(d, GUANGDONG) == [])
        d.ctl("switch", "set", "harvest", "on")
        wait_for("harvested again", lambda: len(ips(d, GUANGDONG)) == 6)
        explained = d.ctl("explain", "--ip", GUANGDONG, "--host", "live.sluice.example")
        assert "harvest" in str(explained), explained
        assert d.metric("sluice_harvest_groups", 'vendor="alpha",state="fresh"') == len(shown)
        # the vendor's order is followed
        s.order = (4, 8)
        wait_for("the new order", lambda: [i[-1] for i in ips(d, GUANGDONG)] == ["4", "8"] * 2)


def refreshed_before_it_ends():
    with Server() as s:
        s.ttl = 6  # asked for again after three quarters
        with daemon(s, '"CN/GD/telecom"', 8) as d:
            wait_for("harvested", lambda: len(ips(d, GUANGDONG)) >= 3)

            def at():
                assert len(ips(d, GUANGDONG)) >= 3
                found = [a[0] for a in s.asked if a[2] == dns.rdatatype.A]
                return found if len(found) > 3 else None
            found = wait_for("three more questions", at)
            gaps = [y - x for x, y in zip(found, found[1:])]
            assert min(gaps) < 6 and max(gaps) < 14, gaps  # on a busy machine one may come late


def no_longer_than_ttl_and_grace():
    with Server() as s, daemon(s, '"CN/GD/telecom"', 2) as d:
        wait_for("harvested", lambda: len(ips(d, GUANGDONG)) >= 3)
        s.lie = "silence"
        last = s.asked[-1][0]

        def given_up():
            began = time.time()  # the answer is made later: how slow we are is none of its
            gone = ips(d, GUANGDONG) == []
            assert gone or began < last + 2 + 2 + 6, "answered for too long"
            return gone
        wait_for("given up", given_up)
        s.lie = None
        wait_for("harvested again", lambda: len(ips(d, GUANGDONG)) >= 3)
        # also when control is gone: the answers keep time by themselves
        s.ttl = 2
        d.ctl("harvest", "show")
        pid = d.pids()["control"]
        import os
        import signal
        os.kill(pid, signal.SIGSTOP)
        try:
            wait_for("given up without control", lambda: ips(d, GUANGDONG) == [])
        finally:
            os.kill(pid, signal.SIGCONT)


def a_clock_set_ahead_takes_nothing_away():
    with Clock() as clock, Server() as s:
        s.ttl = 300
        with daemon(s, '"CN/GD/telecom"', 2) as d:
            wait_for("harvested", lambda: len(ips(d, GUANGDONG)) == 6)
            asked = len(s.asked)
            clock.turn(8 * 3600)
            wait_for("all of them again", lambda: len(ips(d, GUANGDONG)) == 6, 20)
            assert len(s.asked) == asked, "without another question"
            edge = d.ctl("harvest", "show")["edges"][0]
            assert 0 < edge["left_s"] <= 302, edge


def probes_know_what_to_probe():
    listener = socket.create_server(("0.0.0.0", 0), backlog=64)
    port = listener.getsockname()[1]
    with Server() as s:
        s.net = "127"
        text = (CATALOG % (s.port, '"CN/GD/telecom", "CN/GD/unicom"', 2)).replace(", timeout_ms", ", ipv6: false, timeout_ms")
        text += "probes: [{name: edges, kind: tcp, vendor: alpha, port: %d, every_s: 1}]\n" % port
        with Sluice(prepare={"catalog.yaml": text.encode()}) as d:
            def found():
                return {t["target"].rsplit(":", 1)[0]: t["state"] for t in d.ctl("probe", "show")["targets"]}

            def edges():
                return {i for e in d.ctl("harvest", "show")["edges"] for i in e["ips"]}
            wait_for("six edges that are up", lambda: len(edges()) == 6 and
                     set(found()) == edges() and set(found().values()) == {"up"})
            s.order = (2,)
            wait_for("two others", lambda: len(found()) == 2 and set(found()) == edges())
    listener.close()


class Edges(http.server.ThreadingHTTPServer):
    """Vendor's edges on every loopback address; those in `down` say that they are ill."""
    daemon_threads = True

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                self.send_response(503 if self.connection.getsockname()[0] in self.server.down else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass
        super().__init__(("0.0.0.0", 0), Handler)
        self.down = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()


def edges_that_are_down_are_not_answered():
    edges = Edges()
    with Server() as s:
        s.net = "127"
        text = (CATALOG % (s.port, '"CN/GD/telecom", "CN/GD/unicom"', 60)).replace(", timeout_ms", ", ipv6: false, timeout_ms")
        text += "probes: [{name: edges, vendor: alpha, port: %d, every_s: 1, timeout_ms: 5000, rise: 1, fall: 1}]\n" % edges.server_address[1]
        with Sluice(prepare={"catalog.yaml": text.encode()}) as d:
            first = wait_for("three edges", lambda: (lambda found: len(found) == 3 and found)(ips(d, GUANGDONG)))
            wait_for("they are up", lambda: sum(t["state"] == "up" for t in d.ctl("probe", "show")["targets"]) == 6)
            assert ips(d, GUANGDONG) == first
            edges.down.add(first[1])
            wait_for("the second is left out", lambda: ips(d, GUANGDONG) == [first[0], first[2]])
            d.ctl("switch", "set", "probes", "off", "--confirm", "probes")
            wait_for("and answered", lambda: ips(d, GUANGDONG) == first)
            d.ctl("switch", "set", "probes", "on", "--confirm", "probes")
            wait_for("and left out", lambda: ips(d, GUANGDONG) == [first[0], first[2]])
            edges.down.update(first)
            wait_for("none is left: the CNAME", lambda: ips(d, GUANGDONG) == [])
            edges.down.update(i for e in d.ctl("harvest", "show")["edges"] for i in e["ips"])
            wait_for("all of six are down: it is we who are cut off", lambda: ips(d, GUANGDONG) == first)
            edges.down.clear()
            wait_for("all up", lambda: all(t["state"] == "up" for t in d.ctl("probe", "show")["targets"]))
            wait_for("and answered again", lambda: ips(d, GUANGDONG) == first)
    edges.shutdown()
    edges.server_close()


def what_is_cut_is_asked_over_tcp():
    with Server() as s:
        s.lie = "cut"
        s.listen_tcp(None)
        with daemon(s, '"CN/GD/telecom"') as d:
            wait_for("harvested", lambda: len(ips(d, GUANGDONG)) == 6)
            assert [i.rsplit(".", 1)[1] for i in ips(d, GUANGDONG)[:3]] == ["9", "3", "7"]
            h = d.ctl("harvest", "show")["harvests"][0]
            assert s.over_tcp >= 2 and h["taken"] >= 2 and not h["refused"], (s.over_tcp, h)


def a_group_of_ipv6_alone_has_its_subnet():
    with Server() as s:
        d = daemon(s, '"CN/*"', 60)
        d.write("nets.csv", "202.96.128.0/20,CN,GD,telecom,t\n2408:8000::/20,CN,HI,unicom,t\n2408:9000::/24,CN,GD,telecom,t\n")
        d.write("sluice.yaml", re.sub(r'overrides: "[^"]*"', 'overrides: "nets.csv"', d.read("sluice.yaml")))
        with d:
            six = wait_for("harvested", lambda: (lambda found: len(found) == 6 and found)(ips(d, "2408:8000::1")))
            assert group_of(d, "2408:8000::1") == "CN/HI/unicom" and six[0] == "10.6.6.9", six
            wait_for("the other", lambda: len(ips(d, GUANGDONG)) == 6)
            assert {a[3] for a in s.asked} == {"202.96.128.0", "2408:8000::"}, s.asked
            h = d.ctl("harvest", "show")["harvests"][0]
            assert not h["refused"], h


def a_low_rate_is_kept_and_all_are_asked():
    rate = 40
    with Server() as s:
        s.ttl = 300
        d = daemon(s, '"*"', 60)
        d.write("catalog.yaml", d.read("catalog.yaml").replace("rate_per_s: 1000", "rate_per_s: %d" % rate))
        with d:
            wait_for("edges of every group", lambda: (lambda edges: len(edges) > rate and all(
                len(e["ips"]) == 6 for e in edges))(d.ctl("harvest", "show")["edges"]))
            took = s.asked[-1][0] - s.asked[0][0]
            assert len(s.asked) < rate * (took + 1), (len(s.asked), took)


def lies_are_refused():
    lies = (("no subnet", "scope"), ("other subnet", "scope"), ("servfail", "rcode"), ("empty", "empty"),
            ("cut", "connect"), ("cut over TCP too", "wire"), ("garbage", "wire"), ("silence", "timeout"), ("stray", "stray"))
    servers = [Server() for _ in lies]
    more = ""
    for i, (lie, _) in enumerate(lies):
        servers[i].lie = "cut" if "TCP" in lie else lie
        if "TCP" in lie:
            servers[i].listen_tcp("cut")
        more += ("  - {name: v%d, max_mbps: 1, harvest: {host: live.alpha.example, servers: [\"127.0.0.1:%d\"], "
                 "groups: [\"CN/GD/telecom\"], timeout_ms: 300}}\n" % (i, servers[i].port))
    text = (CATALOG % (servers[-1].port, '"CN/GD/telecom"', 2)).replace("services:\n", more + "services:\n")
    with Sluice(prepare={"catalog.yaml": text.encode()}) as d:
        for i, (lie, reason) in enumerate(lies):
            def found():
                return d.ctl("harvest", "show", "v%d" % i)
            wait_for(lie, lambda: found()["harvests"][0]["refused"].get(reason, 0) >= 2)
            taken, edges = found()["harvests"][0]["taken"], found()["edges"]
            assert (taken > 0) == (lie == "stray") and bool(edges[0]["ips"]) == (lie == "stray"), (lie, found())
        wait_for("what the strays did not spoil", lambda: len(ips(d, GUANGDONG)) >= 3)
    for s in servers:
        s.__exit__()


sluice.run([each_group_gets_its_own_edges, refreshed_before_it_ends, no_longer_than_ttl_and_grace,
            a_clock_set_ahead_takes_nothing_away,
            probes_know_what_to_probe, edges_that_are_down_are_not_answered, what_is_cut_is_asked_over_tcp,
            a_group_of_ipv6_alone_has_its_subnet, a_low_rate_is_kept_and_all_are_asked, lies_are_refused])
