#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Probes of a real daemon against servers on loopback: own nodes that fall, flap and come back,
media that is none, doors, ingests; and what that does to answers."""
import http.server
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

import sluice
from sluice import Sluice, free_port, udp_and_tcp, wait_for

CATALOG = """vendors:
  - name: own
    guaranteed_mbps: 1000
    max_mbps: 2000
  - name: alpha
    guaranteed_mbps: 100
    max_mbps: 20000
    addresses: [{a: [127.0.1.1, 127.0.1.2]}]
nodes:
  - {name: n1, vendor: own, group: CN/GD/telecom, capacity_mbps: 1000, a: [127.0.0.11]}
  - {name: n2, vendor: own, group: CN/GD/telecom, capacity_mbps: 1000, a: [127.0.0.12]}
services:
  - name: live
    hosts: [live.sluice.example]
    vendors: [{vendor: own}, {vendor: alpha}]
zones: [{name: sluice.example, file: sluice.example.zone}]
probes:
"""
FLV = b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x12\0\0\x10"
TS = (b"\x47\x40\0\x10" + b"\xff" * 184) * 3
MASTER = b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/hls/media.m3u8\n"
MEDIA = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nseg1.ts\n"


class Edge(http.server.ThreadingHTTPServer):
    """Answers for every loopback address; what it says depends on address and path."""
    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                address = self.connection.getsockname()[0]
                server = self.server
                server.asked.append((time.time(), address, self.path, self.headers["Host"]))
                keys = (address + self.path, address, self.path)
                say = next((server.says[k] for k in keys if k in server.says), (404, b""))
                status, body = say() if callable(say) else say
                if status is None:
                    time.sleep(4)
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(10 ** 9 if body == FLV else len(body)))
                self.end_headers()
                self.wfile.write(body)
                if body == FLV:  # a live stream has no end
                    self.connection.settimeout(5)
                    try:
                        self.connection.recv(1)
                    except OSError:
                        pass
                    self.close_connection = True

            def log_message(self, *args):
                pass
        super().__init__(("0.0.0.0", 0), Handler)
        self.port = self.server_address[1]
        self.asked, self.says = [], {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.shutdown()
        self.server_close()


def daemon(probes, **more):
    text = CATALOG + "".join("  - {%s}\n" % p for p in probes)
    return Sluice(prepare={"catalog.yaml": text.replace("probes:\n", "probes:\n" if probes else "").encode()}, **more)


def targets(d, *args):
    return {(t["probe"], t["target"]): t for t in d.ctl("probe", "show", *args)["targets"]}


def state(d, probe, what, seconds=60):
    def all_are():
        found = [t["state"] for (p, _), t in targets(d).items() if p == probe]
        return found and all(s == what for s in found)
    wait_for("%s %s" % (probe, what), all_are, seconds)


def answered(d):
    """Vendors and addresses that HTTPDNS gives a client of Guangdong telecom."""
    found = {a["vendor"]: set(a["ips"]) for a in d.resolve(ip="202.96.128.86", n=2)["answers"]}
    return found


def nodes_that_are_down_are_not_answered():
    with Edge() as e:
        good = (200, b"all is well")
        e.says.update({"127.0.0.11": good, "127.0.0.12": good, "127.0.1.1": good, "127.0.1.2": good})
        with daemon(["name: nodes, vendor: own, port: %d, path: /health, body: well, every_s: 1, timeout_ms: 3000, rise: 1, fall: 2" % e.port,
                     "name: edges, vendor: alpha, port: %d, every_s: 1" % e.port]) as d:
            state(d, "nodes", "up")
            state(d, "edges", "up")
            assert answered(d)["own"] == {"127.0.0.11", "127.0.0.12"}, answered(d)
            e.says["127.0.0.12"] = (500, b"well")
            wait_for("n2 gone", lambda: answered(d).get("own") == {"127.0.0.11"})
            d.ctl("switch", "set", "probes", "off", "--confirm", "probes")
            wait_for("n2 all the same", lambda: "127.0.0.12" in answered(d).get("own", ()))
            d.ctl("switch", "set", "probes", "on", "--confirm", "probes")
            wait_for("n2 gone again", lambda: answered(d).get("own") == {"127.0.0.11"})
            t = targets(d)["nodes", "127.0.0.12:%d" % e.port]
            assert t["state"] == "down" and t["node"] == "n2" and t["last_bad"] == "status" and t["bad"] >= 2, t
            assert list(targets(d))[0][1].startswith("127.0.0.12"), "those down come first"
            e.says["127.0.0.11"] = (200, b"not yet")
            wait_for("own gone", lambda: "own" not in answered(d))
            assert answered(d)["alpha"] == {"127.0.1.1", "127.0.1.2"}
            assert d.metric("sluice_probe_targets", 'probe="nodes",state="down"') == 2
            assert d.metric("sluice_probe_bad_total", 'probe="nodes",reason="body"') >= 2
            e.says["127.0.0.12"] = good
            wait_for("n2 back", lambda: answered(d).get("own") == {"127.0.0.12"})
            e.says["127.0.0.12"] = (None, b"")
            wait_for("n2 too slow", lambda: "own" not in answered(d))
            assert targets(d)["nodes", "127.0.0.12:%d" % e.port]["last_bad"] == "timeout"
            log = d.log()
            assert "probe.down" in log and "probe.up" in log and "reason=body" in log


def flapping_changes_nothing():
    with Edge() as e:
        turn = [0]

        def flap():
            turn[0] += 1
            return (200 if turn[0] % 3 == 1 else 503), b""  # good bad bad good ...
        strict = iter([(200, b"")])  # good once
        e.says.update({"127.0.0.11": (200, b""), "127.0.0.12/": flap,
                       "127.0.0.12/strict": lambda: next(strict, (503, b""))})
        with daemon(["name: nodes, vendor: own, port: %d, every_s: 1" % e.port,
                     "name: strict, vendor: own, port: %d, path: /strict, every_s: 1, fall: 1, rise: 100" % e.port]) as d:
            state(d, "nodes", "up")
            wait_for("three turns", lambda: turn[0] >= 9, 30)
            t = targets(d, "nodes")["nodes", "127.0.0.12:%d" % e.port]
            assert t["state"] == "up" and t["bad"] >= 2, t
            wait_for("the strict one takes it out", lambda: answered(d).get("own") == {"127.0.0.11"})


def media_is_looked_at():
    with Edge() as e:
        e.says.update({"/flv": (200, FLV), "/noflv": (200, b"<html>" + b"x" * 64), "/gone": (404, FLV),
                       "/hls/master.m3u8": (200, MASTER), "/hls/media.m3u8": (200, MEDIA),
                       "/hls/seg1.ts": (200, TS), "/html.m3u8": (200, b"<html>\n"),
                       "/lost.m3u8": (200, b"#EXTM3U\n#EXTINF:4,\nnowhere.ts\n"), "/empty.m3u8": (200, b"#EXTM3U\n"),
                       "/loop.m3u8": (200, b"#EXTM3U\nloop.m3u8\n"), "/text.m3u8": (200, b"#EXTM3U\nnoflv\n"),
                       "/deep.m3u8": (200, b"#EXTM3U\ndeep2.m3u8\n"), "/deep2.m3u8": (200, b"#EXTM3U\ndeep3.m3u8\n"),
                       "/deep3.m3u8": (200, b"#EXTM3U\ndeep4.ts\n"), "/deep4.ts": (200, TS)})
        probes = ["name: %s, kind: %s, path: /%s, targets: [\"127.0.0.1:%d\"], every_s: 1, host: edge.example, timeout_ms: 5000"
                  % (name, kind, path, e.port) for name, kind, path in (
                      ("flv", "flv", "flv"), ("noflv", "flv", "noflv"), ("goneflv", "flv", "gone"),
                      ("hls", "hls", "hls/master.m3u8"), ("html", "hls", "html.m3u8"), ("lost", "hls", "lost.m3u8"),
                      ("empty", "hls", "empty.m3u8"), ("loop", "hls", "loop.m3u8"), ("text", "hls", "text.m3u8"),
                      ("deep", "hls", "deep.m3u8"))]
        with daemon(probes) as d:
            for name in ("flv", "hls"):
                state(d, name, "up")
            for name, why in (("noflv", "media"), ("goneflv", "status"), ("html", "media"), ("lost", "status"),
                              ("empty", "media"), ("loop", "media"), ("text", "media"), ("deep", "media")):
                state(d, name, "down")
                assert targets(d, name)[name, "127.0.0.1:%d" % e.port]["last_bad"] == why, targets(d, name)
            assert "/hls/seg1.ts" in [a[2] for a in e.asked]
            assert "/deep4.ts" not in [a[2] for a in e.asked], "one more playlist at most"
            assert {a[3] for a in e.asked} == {"edge.example"}, "the host that was asked for"


def doors_and_ports():
    closed, doomed = free_port(), socket.create_server(("127.0.0.1", 0), backlog=64)
    port = doomed.getsockname()[1]
    probe = "every_s: 1, timeout_ms: 5000"
    with daemon([]) as d:
        d.write_octets("catalog.yaml", (CATALOG + """  - {name: doors, targets: ["127.0.0.1:%d"], path: /readyz, %s}
  - {name: tcp, kind: tcp, targets: ["127.0.0.1:%d"], %s}
  - {name: closed, kind: tcp, targets: ["127.0.0.1:%d"], %s}
  - {name: tls, targets: ["127.0.0.1:%d"], https: true, %s}
  - {name: dns, kind: dns, host: live.sluice.example, targets: ["127.0.0.1:%d"], %s}
  - {name: noname, kind: dns, host: nothing.sluice.example, targets: ["127.0.0.1:%d"], %s}
  - {name: nozone, kind: dns, host: live.other.example, targets: ["127.0.0.1:%d"], %s}
  - {name: noaddress, kind: dns, host: big.sluice.example, targets: ["127.0.0.1:%d"], %s}
  - {name: noserver, kind: dns, host: live.sluice.example, targets: ["127.0.0.1:%d"], %s}
""" % (d.http, probe, port, probe, closed, probe, d.http, probe, d.dns, probe, d.dns, probe, d.dns, probe, d.dns, probe,
       free_port(), probe)).encode())
        d.ctl("reload")
        for name in ("doors", "tcp", "dns"):
            state(d, name, "up")
        state(d, "tls", "down")
        for name, why in (("closed", "connect"), ("noname", "rcode"), ("nozone", "rcode"), ("noaddress", "empty"),
                          ("noserver", "connect")):
            state(d, name, "down")
            wait_for(name, lambda: [t["last_bad"] for (p, _), t in targets(d).items() if p == name] == [why])
        took = targets(d)["tcp", "127.0.0.1:%d" % port]
        assert took["took_ms"] < 5000 and took["good"] >= 1, took
        doomed.close()
        state(d, "tcp", "down")
        # a reload keeps what is known
        bad = targets(d)["tcp", "127.0.0.1:%d" % port]["bad"]
        d.ctl("reload")
        assert targets(d)["tcp", "127.0.0.1:%d" % port]["bad"] >= bad
        state(d, "tcp", "down", 1)
        # looks leave nothing open
        pid = d.pids()["control"]
        looks = targets(d)["doors", "127.0.0.1:%d" % d.http]["good"]
        wait_for("four more looks", lambda: targets(d)["doors", "127.0.0.1:%d" % d.http]["good"] >= looks + 4)
        assert len(os.listdir("/proc/%d/fd" % pid)) < 60


def tls_is_looked_at():
    """A certificate that nobody vouches for is good enough only where it need not be verified."""
    with tempfile.TemporaryDirectory() as folder, Edge() as e:
        cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=edge.example", "-addext", "subjectAltName=DNS:edge.example", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        e.socket = context.wrap_socket(e.socket, server_side=True, do_handshake_on_connect=False)
        e.says.update({"/": (200, b"well"), "/flv": (200, FLV)})
        probe = "targets: [\"127.0.0.1:%d\"], https: true, host: edge.example, every_s: 1, timeout_ms: 5000" % e.port
        with daemon(["name: any, verify: false, body: well, " + probe, "name: strict, body: well, " + probe,
                     "name: media, verify: false, kind: flv, path: /flv, " + probe,
                     "name: port, kind: tcp, verify: false, " + probe, "name: plain, kind: http, %s" % probe.replace(
                         "https: true", "https: false")]) as d:
            for name in ("any", "media", "port"):
                state(d, name, "up")
            for name in ("strict", "plain"):
                state(d, name, "down")
                wait_for(name, lambda: [t["last_bad"] for t in targets(d, name).values()] == ["connect"])
            assert {a[3] for a in e.asked} == {"edge.example"}, "asked by its name, in TLS too"


def dns_answers_are_looked_at():
    """A server of the test's own: what is no answer to the question is waited past, what is cut is asked over TCP."""
    udp, tcp = udp_and_tcp()
    port = udp.getsockname()[1]
    tcp.listen(16)
    how = {"udp": "stray", "tcp": "good"}

    def reply(octets, what):
        q = dns.message.from_wire(octets)
        r = dns.message.make_response(q)
        name = q.question[0].name
        if what == "cname":
            r.answer = [dns.rrset.from_text(name, 5, "IN", "CNAME", "elsewhere.example.")]
        elif what == "good":
            r.answer = [dns.rrset.from_text(name, 5, "IN", "A", "192.0.2.1")]
        elif what == "cut":
            r.flags |= dns.flags.TC
        elif what == "servfail":
            r.set_rcode(dns.rcode.SERVFAIL)
        return r.to_wire()

    def serve_udp():
        while True:
            try:
                octets, peer = udp.recvfrom(4096)
            except OSError:
                return
            if how["udp"] == "stray":
                udp.sendto(bytes([octets[0] ^ 1]) + reply(octets, "good")[1:], peer)
                udp.sendto(reply(octets, "good"), peer)
            elif how["udp"] == "garbage":
                udp.sendto(octets[:2] + b"\xff" * 30, peer)
            elif how["udp"] != "silence":
                udp.sendto(reply(octets, how["udp"]), peer)

    def serve_tcp():
        while True:
            try:
                c, _ = tcp.accept()
            except OSError:
                return
            with c:
                c.settimeout(2)
                head = c.recv(2, socket.MSG_WAITALL)
                r = reply(c.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL), how["tcp"])
                r = len(r).to_bytes(2, "big") + r
                c.sendall(r[:1])
                time.sleep(0.05)  # in pieces
                c.sendall(r[1:20])
                time.sleep(0.05)
                c.sendall(b"" if how["tcp"] == "short" else r[20:])
    for serve in (serve_udp, serve_tcp):
        threading.Thread(target=serve, daemon=True).start()
    with daemon(["name: dns, kind: dns, host: live.other.example, targets: [\"127.0.0.1:%d\"], every_s: 1, timeout_ms: 900, "
                 "rise: 1, fall: 1" % port]) as d:
        for over_udp, over_tcp, why in (("stray", "good", None), ("silence", "good", "timeout"), ("cname", "good", None),
                                        ("garbage", "good", "wire"), ("cut", "good", None), ("cut", "cut", "wire"),
                                        ("good", "good", None), ("servfail", "good", "rcode"), ("cut", "short", "wire"),
                                        ("good", "good", None)):
            how.update(udp=over_udp, tcp=over_tcp)
            if why:
                wait_for(over_udp, lambda: targets(d)["dns", "127.0.0.1:%d" % port]["last_bad"] == why)
                state(d, "dns", "down")
            else:
                state(d, "dns", "up")
    udp.close()
    tcp.close()


def cut_off_we_blame_nobody():
    with Edge() as e:
        e.says.update({"127.0.0.11": (200, b""), "127.0.0.12": (200, b""), "/x": (200, b"")})
        probe = "port: %d, every_s: 1, timeout_ms: 400" % e.port
        with daemon(["name: nodes, vendor: own, " + probe,
                     "name: other, path: /x, targets: [\"127.0.0.1:%d\"], every_s: 1" % e.port]) as d:
            state(d, "nodes", "up")
            e.says.clear()
            state(d, "nodes", "down")
            state(d, "other", "down")
            d.tick()
            assert answered(d)["own"] == {"127.0.0.11", "127.0.0.12"}, answered(d)
            e.says["/x"] = (200, b"")
            wait_for("the nodes are at fault", lambda: "own" not in answered(d))


def targets_are_spread():
    with Edge() as e:
        many = ", ".join('"127.1.0.%d:%d"' % (i, e.port) for i in range(1, 201))
        e.says["/"] = (200, b"")
        with daemon(["name: many, targets: [%s], every_s: 2" % many]) as d:
            state(d, "many", "up")
            wait_for("looks", lambda: d.metric("sluice_probe_looks_total", "many") >= 600, 30)
            by = {}
            for t, address, _, _ in e.asked:
                by.setdefault(address, []).append(t)
            assert len(by) == 200
            gaps = [b - a for times in by.values() for a, b in zip(times, times[1:])]
            assert sorted(gaps)[len(gaps) // 2] > 1.5, sorted(gaps)  # one that came late is near the next
            # where the machine stood still they are met at once, but hardly in each of three turns
            turns = [sorted(times[i] for times in by.values() if len(times) > i) for i in range(3)]
            most = min(max(sum(1 for t in turn if s <= t < s + 0.2) for s in turn) for turn in turns)
            assert most < 100, "%d of 200 in a fifth of a second" % most
            assert len(d.ctl("probe", "show")["targets"]) == 100
            assert len(d.ctl("probe", "show", "--n", "1000")["targets"]) == 200


def ingests_that_are_down_are_not_named():
    """Nobody reports of them: what takes no connection is named by /v1/publish only where there is nothing else."""
    points = {name: socket.create_server(("127.0.0.1", 0), backlog=64) for name in ("north", "north2", "south")}
    port = {name: s.getsockname()[1] for name, s in points.items()}
    catalog = CATALOG.replace("zones:", """    ingest:
      - {name: north, unit: bj, url: "rtmp://localhost:%d/live/{stream}"}
      - {name: north2, unit: bj, url: "rtmp://127.0.0.1/live/{stream}"}
      - {name: south, unit: gz, url: "RTMP://[::1]/live/{stream}"}
      - {name: udp, unit: sz, url: "srt://127.0.0.1:9/live/{stream}"}
      - {name: each, unit: sz, url: "rtmp://{stream}.example/live"}
streams: [{name: final, service: live, vendors: [alpha], ingest: north}]
zones:""" % port["north"])
    looks = "kind: tcp, every_s: 1, timeout_ms: 800, rise: 1, fall: 2"
    with daemon([]) as d:
        # by scheme and URL alone: addresses, names, families; nothing where there is no TCP or no one host
        d.write_octets("catalog.yaml", (catalog + "  - {name: ingests, service: live, kind: tcp}\n").encode())
        d.ctl("reload")
        wait_for("the targets", lambda: {(t["node"], t["target"]) for t in d.ctl("probe", "show")["targets"]} == {
            ("north", "localhost:%d" % port["north"]), ("north2", "127.0.0.1:1935"), ("south", "[::1]:1935")})
        catalog = catalog.replace("127.0.0.1/live", "127.0.0.1:%d/live" % port["north2"]).replace(
            "RTMP://[::1]/", "rtmp://127.0.0.1:%d/" % port["south"]).replace("      - {name: udp", "#").replace("      - {name: each", "#")
        d.write_octets("catalog.yaml", (catalog + "  - {name: ingests, service: live, %s}\n" % looks).encode())
        d.ctl("reload")
        state(d, "ingests", "up")

        def asked(stream):
            return d.get("/v1/publish?host=live.sluice.example&ip=202.96.128.86&stream=" + stream)

        def named(stream):
            status, body = asked(stream)
            assert status == 200 and body["primary"]["unit"] != body["backup"]["unit"], body
            return body["primary"]["name"], body["backup"]["name"], body["chosen"]

        streams = ["s%d" % i for i in range(40)]
        wait_for("the answers to be of this catalogue", lambda: asked("final")[0] == 200 and
                 {named(s)[0] for s in streams} == set(points))
        before = {s: named(s) for s in streams}
        assert {b[0] for b in before.values()} == set(points) and named("final")[::2] == ("north", "by name"), before
        points["north"].close()
        wait_for("north is not named", lambda: all("north" not in named(s)[:2] for s in streams + ["final"]))
        for s in streams:  # who sits elsewhere stays there; a backup of the dead point's unit is its neighbour
            now = named(s)
            assert now[2] == ("by probe" if before[s][0] == "north" else "by hash"), (before[s], now)
            assert before[s][0] == "north" or now[0] == before[s][0], (before[s], now)
        assert named("final")[2] == "by probe"
        assert [t["node"] for t in d.ctl("probe", "show")["targets"] if t["state"] == "down"] == ["north"]
        d.ctl("switch", "set", "probes", "off", "--confirm", "probes")
        wait_for("probes are not believed", lambda: named("final")[::2] == ("north", "by name"))
        d.ctl("switch", "set", "probes", "on", "--confirm", "probes")
        points["north2"].close()
        wait_for("one is left", lambda: {named(s)[0] for s in streams} == {"south"})
        assert {named(s)[1] for s in streams} <= {"north", "north2"}, "a dead one in the other unit: there is nothing else"
        points["south"].close()
        wait_for("all of them are down: no one is blamed", lambda: {s: named(s) for s in streams} == before)
        points["north"] = socket.create_server(("127.0.0.1", port["north"]), backlog=64)
        wait_for("north is back, alone", lambda: {named(s)[0] for s in streams} == {"north"})
    points["north"].close()


def refused_with_its_line():
    for bad, why in (("name: a, targets: [\"127.0.0.1:1\"], vendor: own", "more than one of vendor, service and targets"),
                     ("name: a", "none of vendor, service and targets"),
                     ("name: a, service: live, vendor: own", "more than one of vendor, service and targets"),
                     ("name: a, service: nobody, kind: tcp", "unknown service"), ("name: a, service: live, kind: tcp", "nothing is pushed"), ("name: a, vendor: nobody", "unknown vendor"),
                     ("name: a, kind: dns, targets: [\"127.0.0.1:53\"]", "no host"),
                     ("name: a, kind: dns, vendor: own, host: a.example", "no targets"),
                     ("name: a, vendor: own, path: x", "no path"), ("name: a, targets: [\"53\"]", "no address")):
        with daemon([]) as d:
            d.write_octets("catalog.yaml", (CATALOG + "  - {%s}\n" % bad).encode())
            code, said = d.ctl("reload", ok=False)
            assert code == 1 and why in said and "probes[0]" in said, said


sluice.run([nodes_that_are_down_are_not_answered, flapping_changes_nothing, media_is_looked_at, doors_and_ports,
            tls_is_looked_at, dns_answers_are_looked_at,
            cut_off_we_blame_nobody, targets_are_spread, ingests_that_are_down_are_not_named, refused_with_its_line])
