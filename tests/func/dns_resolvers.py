#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Real resolvers in front: unbound passes client subnets on and keeps answers apart by scope; BIND
does not, and gets what its own address gets. Needs the packages unbound and bind9 (group long)."""
import os
import random
import shutil
import subprocess
import tempfile

import dns.edns
import dns.exception
import dns.message
import dns.query

import dns_hold
from sluice import SHARED, Sluice, free_port, run, wait_for

ZONE = "sluice.example"
WORLD = os.path.abspath(os.path.join(SHARED, "data", "steering-world.mmdb"))

UNBOUND = """server:
  interface: 127.0.0.1
  port: %(port)d
  username: ""
  chroot: ""
  directory: "%(dir)s"
  pidfile: "%(dir)s/pid"
  use-syslog: no
  module-config: "subnetcache iterator"
  send-client-subnet: 127.0.0.1
  client-subnet-always-forward: yes
  max-client-subnet-ipv4: 24
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
forward-zone:
  name: "sluice.example"
  forward-addr: 127.0.0.1@%(dns)d
remote-control:
  control-enable: no
"""

BIND = """options {
  directory "%(dir)s"; pid-file "%(dir)s/pid"; session-keyfile "%(dir)s/key";
  listen-on port %(port)d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion yes; allow-recursion { 127.0.0.1; }; dnssec-validation no;
};
controls { };
zone "sluice.example" { type forward; forward only; forwarders { 127.0.0.1 port %(dns)d; }; };
"""


class Resolver:
    def __init__(self, words, config, dns_port):
        self.dir = tempfile.mkdtemp(prefix="sluice-resolver-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        path = os.path.join(self.dir, "conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(config % {"port": self.port, "dir": self.dir, "dns": dns_port})
        self.log = open(os.path.join(self.dir, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([*words, path], stdout=self.log, stderr=self.log)

    def __enter__(self):
        try:
            wait_for("the resolver", self.answers)
        except AssertionError as why:
            self.log.seek(0)
            raise AssertionError("%s\n%s" % (why, self.log.read())) from why
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def answers(self):
        try:
            return self.ask("ns1." + ZONE, "A", timeout=1).answer
        except (dns.exception.DNSException, OSError):
            return None

    def ask(self, name, kind, ecs=None, timeout=60):
        options = [dns.edns.ECSOption(*ecs)] if ecs else []
        q = dns.message.make_query(name, kind, use_edns=0, payload=1232, options=options)
        return dns.query.udp(q, "127.0.0.1", port=self.port, timeout=timeout)


def daemon():
    return Sluice(geo='databases: ["%s"]' % WORLD if os.path.exists(WORLD) else None)


def words_of(r):
    return dict(w.split("=", 1) for w in r.answer[0][0].strings[0].decode().split())


def clients_of_groups(s, n):
    """One client address of each of n groups."""
    rng, found = random.Random(4), {}
    for _ in range(20000):
        address = "%d.%d.%d.0" % (rng.randrange(1, 224), rng.randrange(256), rng.randrange(256))
        found.setdefault(s.explain_txt(address)["group"], address)
        if len(found) == n:
            return found
    raise AssertionError("only %d groups" % len(found))


def unbound_gets_right_answers_for_clients_of_20_groups():
    with daemon() as s:
        clients = clients_of_groups(s, 20 if os.path.exists(WORLD) else 5)
        with Resolver(["unbound", "-d", "-p", "-c"], UNBOUND, s.dns) as r:
            for _ in range(2):  # the second time out of its cache
                for group, address in clients.items():
                    got = words_of(r.ask("_sluice.live." + ZONE, "TXT", (address, 24)))
                    assert got["group"] == group, (group, address, got)
                    want = {str(x) for x in s.query("drill." + ZONE, ecs=(address, 24)).answer[0]}
                    have = {str(x) for x in r.ask("drill." + ZONE, "A", (address, 24)).answer[0]}
                    assert have == want, (address, have, want)


def unbound_keeps_narrow_scopes_apart():
    """RFC 7871 section 7.3.1: where one answer may be kept for a /27, clients of one /24 are told apart if the
    resolver tells so many bits; else the answer is kept for the whole /24, and for a shorter time."""
    with dns_hold.demo(dns_viewers=2000, dns_answer_part=0.0001) as s:
        dns_hold.meters(s)
        wait_for("the narrow scope", lambda: dns_hold.asked(s)[1] == 27)
        for config, most in ((UNBOUND, 24), (UNBOUND.replace("ipv4: 24", "ipv4: 32"), 32)):
            vendors = set()
            with Resolver(["unbound", "-d", "-p", "-c"], config, s.dns) as r:
                for last in range(0, 256, 32):
                    answer = r.ask("drill." + ZONE, "A", (dns_hold.TELECOM + str(last), 32)).answer[0]
                    assert answer.ttl <= (20 if most == 32 else 2), answer
                    vendors.add(dns_hold.NETS[str(answer[0]).rsplit(".", 1)[0]])
            assert (len(vendors) > 1) == (most == 32), (most, vendors)


def bind_gets_the_answers_of_its_own_address():
    with daemon() as s:
        with Resolver(["named", "-g", "-c"], BIND, s.dns) as r:
            want = words_of(s.query("_sluice.live." + ZONE, "TXT"))
            got = words_of(r.ask("_sluice.live." + ZONE, "TXT"))
            assert got["group"] == want["group"] and got["vendor"] == want["vendor"], (got, want)
            for kind in ("A", "AAAA", "TXT", "HTTPS"):
                for name in ("drill.", "ns1.", "no.", "big.", ""):
                    mine, direct = r.ask(name + ZONE, kind), s.query(name + ZONE, kind, tcp=True)
                    assert mine.rcode() == direct.rcode(), (name, kind, mine, direct)
                    if not mine.flags & 0x200:
                        assert [set(x) for x in mine.answer] == [set(x) for x in direct.answer]


if __name__ == "__main__":
    cases = [c for c, program in ((unbound_gets_right_answers_for_clients_of_20_groups, "unbound"),
                                  (unbound_keeps_narrow_scopes_apart, "unbound"),
                                  (bind_gets_the_answers_of_its_own_address, "named"))
             if shutil.which(program) or print("skipped: %s is not installed" % program)]
    run(cases)
