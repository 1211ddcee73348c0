#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon as a whole: every door agrees, figures move the shares, and what falls comes back."""
import ipaddress
import os
import pwd
import random
import re
import resource
import signal
import socket
import struct
import subprocess

import dns.flags
import dns.message
import dns.rcode

from sluice import BUILD, LONG, SHARED, TOP, Sluice, run, wait_for

WORLD = os.path.abspath(os.path.join(SHARED, "data", "steering-world.mmdb"))
VENDORS = ("alpha", "beta", "gamma")
TELECOM = "202.96.128.86"  # in CN/GD/telecom by geo/nets.csv


def geo():
    return 'databases: ["%s"]' % WORLD if os.path.exists(WORLD) else None


def meters(s, **mbps):
    for vendor, value in mbps.items():
        s.ctl("meter", "push", vendor, str(value))


def shares_by_explain(s, host="live.sluice.example"):
    told = s.ctl("explain", "--ip", TELECOM, "--host", host)
    return {v["vendor"]: v["share_ppm"] / 1e6 for v in told["vendors"]}


def shares_by_http(s, n, host="live.sluice.example"):
    count = dict.fromkeys(VENDORS, 0)
    for i in range(n):
        body = s.resolve(host, ip=TELECOM, client="c%d" % i)
        count[body["answers"][0]["vendor"]] += 1
    return {v: c / n for v, c in count.items()}


def shares_by_dns(s, subnets, host="drill.sluice.example"):
    by_net = {"192.0.2": "alpha", "198.51.100": "beta", "203.0.113": "gamma"}
    count = dict.fromkeys(VENDORS, 0)
    for address in subnets:
        reply = s.query(host, "A", ecs=(address, 24))
        first = str(reply.answer[0][0])
        count[by_net[first.rsplit(".", 1)[0]]] += 1
    return {v: c / len(subnets) for v, c in count.items()}


def subnets_of_one_group(n):
    """Blocks of CN/GD/telecom, by sluice-geo over the same database and corrections."""
    rng = random.Random(5)
    asked = ["%d.%d.%d.0" % (rng.choice((14, 58, 59, 61, 113, 116, 119, 121, 183, 202, 219)),
                             rng.randrange(256), rng.randrange(256)) for _ in range(20 * n)]
    if not geo():  # the corrections alone: every block of theirs
        with open(os.path.join(TOP, "geo", "nets.csv"), encoding="utf-8") as f:
            nets = [ipaddress.ip_network(row.split(",")[0]) for row in f if ",GD," in row and ":" not in row]
        asked = [str(b.network_address) for net in nets for b in net.subnets(new_prefix=max(24, net.prefixlen))]
    told = subprocess.run([os.path.join(BUILD, "sluice-geo"), "lookup", "--overrides",
                           os.path.join(TOP, "geo", "nets.csv")] +
                          (["--db", WORLD] if geo() else []) + ["-"], input="\n".join(asked),
                          capture_output=True, text=True, check=True).stdout
    found = [row.split("\t")[0] for row in told.splitlines() if "\tCN/GD/telecom\t" in row]
    assert len(found) >= n, len(found)
    return found[:n]


def doors_agree():
    """DNS and HTTP give one group to an address, and one vendor where both pick by sticky key."""
    rng = random.Random(1)
    with Sluice(geo=geo()) as s:
        agreed = 0
        for _ in range(1000):
            address = "%d.%d.%d.%d" % (rng.randrange(1, 224), rng.randrange(256),
                                       rng.randrange(256), rng.randrange(256))
            txt = s.explain_txt(address)
            body = s.resolve(ip=address)
            assert txt["group"] == body["group"], (address, txt, body)
            assert txt["ecs"] == [int(txt["scope"])] and int(txt["scope"]) >= 24, (address, txt)
            if txt["view"] == body["view"]:
                assert txt["vendor"] == body["answers"][0]["vendor"], (address, txt, body)
                agreed += 1
        assert agreed > 300, agreed  # the others were asked before and after a tick
        if geo():
            for address, group in (("202.96.128.86", "CN/GD/telecom"), ("8.8.8.8", "US"),
                                   ("114.213.171.205", "CN/AH/cernet")):
                assert s.explain_txt(address)["group"] == group
        assert s.metric("sluice_dns_queries_total") >= 1000
        assert s.metric("sluice_http_requests_total") >= 1000


def meters_move_the_shares():
    with Sluice(geo=geo(), threads=2) as s:
        meters(s, alpha=1000000, beta=1000000, gamma=500000)
        s.tick()
        calm = shares_by_explain(s)
        assert all(calm[v] > 0.05 for v in VENDORS), calm
        meters(s, alpha=9000000)  # over its guarantee of 8 Tbps
        s.tick()
        want = shares_by_explain(s)
        assert want["alpha"] <= 0.005, want
        got = shares_by_http(s, 10000)
        assert all(abs(got[v] - want[v]) <= 0.001 for v in VENDORS), (want, got)
        drill = shares_by_explain(s, "drill.sluice.example")
        n = 10000 if geo() else 300
        got = shares_by_dns(s, subnets_of_one_group(n))
        assert all(abs(got[v] - drill[v]) <= (0.02 if geo() else 0.1) for v in VENDORS), (drill, got)
        meters(s, alpha=14000000)  # at its maximum
        s.tick()
        assert shares_by_explain(s)["alpha"] == 0
        assert shares_by_http(s, 2000)["alpha"] == 0


def a_fallen_role_comes_back_and_answers_stay():
    with Sluice(geo=geo()) as s:
        meters(s, alpha=1000000, beta=1000000, gamma=500000)
        s.tick()
        addresses = ["58.%d.%d.0" % (i, i) for i in range(64)]
        before = [s.explain_txt(a)["vendor"] for a in addresses]
        old = s.pids()
        for role in ("collect", "control"):
            s.kill(role)
        for _ in range(5):
            assert [s.explain_txt(a)["vendor"] for a in addresses] == before
        wait_for("both back", lambda: s.ready() and all(
            s.pids().get(r, old[r]) != old[r] for r in ("collect", "control")))
        waits = re.findall(r"supervise\.fell .*restart_in_ms=(\d+)", s.log())
        assert len(waits) == 2 and all(int(w) <= 1600 for w in waits), waits  # how fast they are then is the machine's
        assert s.pids()["answer"] == old["answer"]
        s.tick()
        assert [s.explain_txt(a)["vendor"] for a in addresses] == before


def a_dead_site_answers_at_once_from_its_blobs():
    with Sluice(geo=geo()) as s:
        meters(s, alpha=1000000, beta=13000000, gamma=500000)
        s.tick()
        want = shares_by_explain(s)
        os.killpg(s.process.pid, signal.SIGKILL)
        for pid in s.pids().values():
            os.kill(pid, signal.SIGKILL)
        s.process.wait()
        s.process = None
        s.start(wait=False)
        body = wait_for("an answer", lambda: s.probe(s.http) and s.resolve(ip=TELECOM))
        assert body["group"].startswith("CN/GD")
        wait_for("all listeners", s.ready)
        s.tick()
        got = shares_by_explain(s)
        assert all(abs(got[v] - want[v]) < 0.02 for v in VENDORS), (want, got)


def what_crashes_a_role_twice_is_set_aside():
    with Sluice() as s:
        for role, name in (("answer", "world/tick.blob"), ("control", "engine.state")):
            for _ in range(3):  # soon: within ten seconds of its start, which is one more where that took longer
                pid, falls = wait_for(role, lambda r=role: s.pids().get(r)), s.log().count("supervise.fell")
                os.kill(pid, signal.SIGABRT)
                wait_for("its fall", lambda n=falls: s.log().count("supervise.fell") > n)
                if os.path.exists(os.path.join(s.state, name + ".set-aside")):
                    break
            wait_for("set aside", lambda n=name: os.path.exists(
                os.path.join(s.state, n + ".set-aside")))
            wait_for("all back", s.ready)
        assert s.log().count("supervise.set_aside") >= 2
        assert s.resolve(ip=TELECOM)["answers"]


def a_bad_reload_changes_nothing():
    with Sluice() as s:
        good = s.read("catalog.yaml")
        s.write("catalog.yaml", good.replace("max_mbps: 14000000", "max_mbps: 14"))
        code, text = s.ctl("reload", ok=False)
        assert code == 1 and "catalog.yaml:" in text, (code, text)
        os.kill(s.process.pid, signal.SIGHUP)
        wait_for("the refusal in the log", lambda: "conf.refused" in s.log())
        assert s.resolve(ip=TELECOM)["answers"]
        # and a role that falls meanwhile comes back with what was in force
        old = s.pids()["answer"]
        s.kill("answer")
        wait_for("answer back", lambda: s.pids().get("answer", old) != old and s.ready())
        assert s.resolve(ip=TELECOM)["answers"]
        s.write("catalog.yaml", good.replace("ttl_s: 20", "ttl_s: 7"))
        s.ctl("reload")
        wait_for("the new TTL", lambda: s.resolve(ip=TELECOM)["ttl"] == 7)
        wait_for("the new TTL in DNS", lambda: s.query("live.sluice.example").answer[0].ttl == 7)


def what_only_a_zone_file_contradicts_changes_nothing():
    """The configuration is sound by itself, so a role that falls would take it."""
    with Sluice() as s:
        good = s.read("catalog.yaml")
        s.write("catalog.yaml", good.replace("[drill.sluice.example]", "[www.sluice.example]"))
        code, text = s.ctl("reload", ok=False)
        assert code == 1 and "a scheduled host has no such record of its own" in text, (code, text)
        for role in ("answer", "collect", "control"):
            old = s.pids()[role]
            s.kill(role)
            wait_for("%s back" % role, lambda r=role, pid=old: s.pids().get(r, pid) != pid and s.ready())
        s.tick()
        assert s.query("drill.sluice.example").answer


def no_role_outlives_its_supervisor():
    for extra in ("", "user: nobody") if os.getuid() == 0 else ("",):
        with Sluice(extra=extra) as s:
            s.process.kill()
            s.process.wait(60)
            s.process = None
            try:
                wait_for("the end of all roles (%s)" % extra, lambda: not s.pids())
            finally:
                for pid in s.pids().values():
                    os.kill(pid, signal.SIGKILL)


def the_limit_of_descriptors_is_raised():
    was = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, was[1]))
    try:
        with Sluice() as s:
            for role, pid in s.pids().items():
                assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (was[1], was[1]), role
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, was)


def a_corrupt_geo_file_is_refused_and_a_good_one_taken():
    small = os.path.abspath(os.path.join(SHARED, "data", "steering-cn.mmdb"))
    if not os.path.exists(small):
        print("skipped: %s is absent" % small)
        return
    with open(small, "rb") as f:
        good = f.read()
    address = "114.213.171.205"
    with Sluice(geo='databases: ["db.mmdb"]', prepare={"db.mmdb": good}) as s:
        assert s.explain_txt(address)["group"] == "CN/AH/cernet"
        for bad in (good[:len(good) // 2], b"nonsense" * 1000, good[:-20000] + b"\0" * 20000):
            s.write_octets("db.mmdb", bad)
            seen = s.log().count("conf.refused")
            os.kill(s.process.pid, signal.SIGHUP)
            wait_for("the refusal", lambda n=seen: s.log().count("conf.refused") > n)
            assert s.explain_txt(address)["group"] == "CN/AH/cernet"
        s.write_octets("db.mmdb", good)
        with open(os.path.join(s.dir, "nets.csv"), "w", encoding="utf-8") as f:
            f.write("prefix,country,province,isp,source\n114.213.171.0/24,CN,GD,telecom,test\n")
        s.write("sluice.yaml", re.sub(r'overrides: "[^"]*"', 'overrides: "nets.csv"',
                                      s.read("sluice.yaml")))
        os.kill(s.process.pid, signal.SIGHUP)
        wait_for("the correction", lambda: s.explain_txt(address)["group"] == "CN/GD/telecom")


def without_its_geo_file_it_starts_from_the_table_of_before():
    small = os.path.abspath(os.path.join(SHARED, "data", "steering-cn.mmdb"))
    if not os.path.exists(small):
        print("skipped: %s is absent" % small)
        return
    with open(small, "rb") as f:
        good = f.read()
    with Sluice(geo='databases: ["db.mmdb"]', prepare={"db.mmdb": good}) as s:
        wait_for("a world", lambda: s.explain_txt("114.213.171.205")["group"] == "CN/AH/cernet")
        s.stop()
        os.unlink(os.path.join(s.dir, "db.mmdb"))
        told = subprocess.run([os.path.join(BUILD, "sluiced"), "-t", "-c", s.config], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        assert told.returncode == 1 and "sluice.yaml:6: geo.databases[0]: cannot read" in told.stderr, told
        s.start()
        wait_for("the refusal", lambda: "geo.refused use=table_of_before" in s.log())
        assert s.explain_txt("114.213.171.205")["group"] == "CN/AH/cernet"
        before = s.explain_txt("114.213.171.205")["view"]
        wait_for("a new tick", lambda: s.explain_txt("114.213.171.205")["view"] != before)
        assert any(a["alert"] == "config-refused" for a in s.ctl("alert", "list")["alerts"])
        s.write_octets("db.mmdb", good)
        wait_for("no alert", lambda: not any(
            a["alert"] == "config-refused" for a in s.ctl("alert", "list")["alerts"]))


def a_second_daemon_on_the_same_state_is_refused():
    with Sluice() as s:
        pids = s.pids()
        second = subprocess.run([os.path.join(BUILD, "sluiced"), "-c", s.config], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
        assert second.returncode == 1 and "another sluiced runs on this folder" in second.stdout, second
        assert "supervise.started" not in second.stdout, second.stdout
        assert s.ready() and s.pids() == pids


def each_role_runs_alone():
    with Sluice() as s:
        s.stop()
        answer = s.role("answer")
        try:
            wait_for("answers from the blobs", lambda: s.probe(s.http))
            assert s.resolve(ip=TELECOM)["answers"]
            assert not s.probe(s.admin, "/healthz")
            control = s.role("control")
            try:
                wait_for("control", lambda: s.probe(s.admin))
                s.tick()
            finally:
                assert Sluice.end(control) == 0
            assert s.resolve(ip=TELECOM)["answers"]
        finally:
            assert Sluice.end(answer) == 0


def a_role_becomes_the_user_it_is_told():
    if os.getuid() != 0:
        print("skipped: only root can become another user")
        return
    with Sluice(extra="user: nobody") as s:
        for pid in s.pids().values():
            assert os.stat("/proc/%d" % pid).st_uid == pwd.getpwnam("nobody").pw_uid
        meters(s, alpha=9000000, beta=1000000, gamma=500000)
        s.tick()
        assert shares_by_explain(s)["alpha"] <= 0.005


def mutated(rng, packet):
    p = bytearray(packet)
    for _ in range(rng.randrange(1, 6)):
        kind = rng.randrange(4)
        at = rng.randrange(len(p)) if p else 0
        if kind == 0 and p:
            p[at] = rng.randrange(256)
        elif kind == 1 and p:
            del p[at:at + rng.randrange(1, 8)]
        elif kind == 2:
            p[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 8)))
        else:
            p = p[:at]
    return bytes(p)


def mutated_packets_and_requests_do_no_harm():
    rng = random.Random(9)
    n = 100000 if LONG else 1000
    seeds = []
    for name, kind in (("live.sluice.example", "A"), ("drill.sluice.example", "AAAA"),
                       ("big.sluice.example", "TXT"), ("no.sluice.example", "MX")):
        q = dns.message.make_query(name, kind, use_edns=0, payload=1232,
                                   options=[dns.edns.ECSOption("10.1.2.0", 24)])
        seeds.append(q.to_wire())
    request = (b"GET /v1/resolve?host=live.sluice.example&ip=10.1.2.3&type=A,AAAA&n=3&client=x "
               b"HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.1.1.1\r\n\r\n")
    with Sluice() as s:
        old = s.pids()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.connect(("127.0.0.1", s.dns))
        udp.setblocking(False)
        for i in range(n):
            udp.send(mutated(rng, rng.choice(seeds)))
            try:
                while True:
                    reply = udp.recv(4096)
                    assert len(reply) >= 12 and reply[2] & 0x80 and len(reply) <= 1232
            except BlockingIOError:
                pass
            if i % 10 == 0:
                with socket.create_connection(("127.0.0.1", s.http), timeout=60) as t:
                    t.sendall(mutated(rng, request))
            if i % 10 == 5:
                with socket.create_connection(("127.0.0.1", s.dns), timeout=60) as t:
                    q = mutated(rng, rng.choice(seeds))
                    t.sendall(mutated(rng, struct.pack("!H", len(q)) + q))
        assert s.resolve(ip=TELECOM)["answers"]
        assert s.query("drill.sluice.example").rcode() == dns.rcode.NOERROR
        assert s.pids() == old, "a process fell"


def zone_and_steering_are_right():
    with Sluice() as s:
        r = s.query("live.sluice.example", "A", ecs=("58.60.1.0", 24))
        assert str(r.answer[0][0]) in ["live.%s.example." % v for v in VENDORS]
        assert r.answer[0].ttl == 20 and r.flags & dns.flags.AA
        r = s.query("big.sluice.example", "TXT")
        assert r.flags & dns.flags.TC and not r.answer
        r = s.query("big.sluice.example", "TXT", tcp=True)
        assert sum(len(x.to_text()) for x in r.answer[0]) > 1232
        r = s.query("nope.sluice.example", "A")
        assert r.rcode() == dns.rcode.NXDOMAIN and r.authority[0].rdtype == dns.rdatatype.SOA
        r = s.query("drill.sluice.example", "AAAA")
        assert r.rcode() == dns.rcode.NOERROR and not r.answer and r.authority
        assert s.query("example.org", "A").rcode() == dns.rcode.REFUSED
        body = s.resolve(ip=TELECOM)
        assert body["ttl"] == 20 and body["answers"][0]["cname"].startswith("live.")
        assert body["answers"][0]["ips"]
        assert s.get("/v1/resolve?host=no.example")[0] == 404
        assert s.get("/v1/resolve?host=")[0] == 400
        assert s.probe(s.reports, "/healthz")


def a_bad_end_fails_what_passed():
    for script, word in (("exit 3", "ended with 3"), ("echo AddressSanitizer: x", "sanitizer report")):
        s = Sluice()
        with open(s.log_path, "w", encoding="utf-8") as log:
            s.process = subprocess.Popen(["sh", "-c", script], stdout=log)
        try:
            s.process.wait()
            s.__exit__(SystemExit, SystemExit(0), None)
        except AssertionError as why:
            assert word in str(why), why
        else:
            raise AssertionError("an end with %r was passed over" % script)


if __name__ == "__main__":
    run([a_bad_end_fails_what_passed, zone_and_steering_are_right, doors_agree, meters_move_the_shares,
         a_fallen_role_comes_back_and_answers_stay, a_dead_site_answers_at_once_from_its_blobs,
         what_crashes_a_role_twice_is_set_aside,
         a_bad_reload_changes_nothing, what_only_a_zone_file_contradicts_changes_nothing,
         no_role_outlives_its_supervisor, the_limit_of_descriptors_is_raised, a_corrupt_geo_file_is_refused_and_a_good_one_taken,
         without_its_geo_file_it_starts_from_the_table_of_before,
         a_second_daemon_on_the_same_state_is_refused,
         each_role_runs_alone, a_role_becomes_the_user_it_is_told,
         mutated_packets_and_requests_do_no_harm])
