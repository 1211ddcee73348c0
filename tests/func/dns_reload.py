#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The catalogue and the geo table change under load, and no question is lost."""
import json
import os
import re
import resource
import signal
import struct
import subprocess

from dns_tcp import UNWATCHED, descriptors
from sluice import BUILD, LONG, TOP, Sluice, run, wait_for

CATALOGUES, GEOS, RATE = (100, 20, 10000) if LONG else (4, 2, 100)


class Load:
    """sluice-bench with random client subnets until it is told to stop."""

    def __init__(self, s, http=False):
        where = ["--http", "http://127.0.0.1:%d/v1/resolve?host=live.sluice.example&ip={ip}" % s.http,
                 "--connections", "64"] if http else [
            "--dns", "127.0.0.1:%d" % s.dns, "--host", "live.sluice.example", "--inflight", "16"]
        self.words = [os.path.join(BUILD, "sluice-bench"), *where, "--ecs", "random", "--seconds",
                      "3600", "--json"]

    def __enter__(self):
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, text=True)
        return self

    def end(self):
        self.process.send_signal(2)
        return json.loads(self.process.communicate(timeout=60)[0])

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()


def no_question_is_lost():
    with Sluice() as s:
        # with so much room that the load moves no share: while some move, a TTL is a quarter of itself
        catalogue = re.sub(r"_mbps: \d+", "_mbps: 999999999", s.read("catalog.yaml"))
        with open(os.path.join(TOP, "geo", "nets.csv"), encoding="utf-8") as f:
            nets = f.read()
        s.write("nets.csv", nets)
        s.write("sluice.yaml", s.read("sluice.yaml").replace("geo: {overrides: \"", "geo: {overrides: "
                "\"nets.csv\" } #"))
        s.ctl("reload")

        def changes():
            for i in range(CATALOGUES):
                ttl = 30 + i % 7
                s.write("catalog.yaml", catalogue.replace("ttl_s: 20", "ttl_s: %d" % ttl))
                s.ctl("reload")
                wait_for("TTL %d" % ttl, lambda t=ttl: s.query("live.sluice.example").answer[0].ttl == t)
            for i in range(GEOS):
                group = "CN/GD/telecom" if i % 2 else "CN/BJ/unicom"
                country, province, isp = group.split("/")
                s.write("nets.csv", nets + "10.1.0.0/16,%s,%s,%s,test\n" % (country, province, isp))
                s.ctl("reload")
                wait_for(group, lambda g=group: s.explain_txt("10.1.2.0")["group"] == g)

        # a reload loses some each time; a machine that stands still for a second does not
        for _ in range(3):
            with Load(s) as load:
                changes()
                got = load.end()
            if got["lost"] == 0:
                break
        assert got["lost"] == 0 and got["errors"] == 0, got
        assert got["rate"] >= RATE, got
        print("%d questions, %.0f/s" % (got["answered"], got["rate"]))


def http_under_load_takes_no_question_away():
    with Sluice() as s:
        for _ in range(3):
            udp, requests = s.metric("sluice_dns_queries_total", 'proto="udp"'), s.metric("sluice_http_requests_total")
            with Load(s) as dns, Load(s, http=True) as http:
                wait_for("both loads", lambda: s.metric("sluice_dns_queries_total", 'proto="udp"') > udp + 5000 and
                         s.metric("sluice_http_requests_total") > requests + 5000)
                asked, got = http.end(), dns.end()
            if got["lost"] == 0:
                break
        assert got["lost"] == 0 and got["errors"] == 0 and asked["errors"] == 0, (got, asked)
        print("%.0f questions/s beside %.0f requests/s" % (got["rate"], asked["rate"]))


def what_found_no_descriptor_is_taken_later():
    """Although nothing new comes then: control stands still."""
    with Sluice(extra=UNWATCHED) as s:
        pids, secret = s.pids(), os.path.join(s.state, "dns-cookie.secret")
        wait_for("the keys", lambda: s.log().count("answer keys.taken") == 1)
        first = wait_for("nobody connected", lambda: descriptors(pids["answer"]))
        most = resource.prlimit(pids["answer"], resource.RLIMIT_NOFILE)
        resource.prlimit(pids["answer"], resource.RLIMIT_NOFILE, (first, most[1]))
        os.chmod(secret, 0o600)
        with open(secret, "w", encoding="ascii") as f:
            f.write("e5e973e5a6b2a43f48e7dc849e37bfcf\n")
        s.ctl("reload")
        wait_for("refusals", lambda: "keys.refused" in s.log() and "world.refused" in s.log())

        def written():
            with open(os.path.join(s.state, "world", "tick.blob"), "rb") as f:
                return "%d.%d" % struct.unpack("<QQ", f.read(40)[24:])
        wait_for("a tick that is not taken", lambda: s.explain_txt("192.0.2.1")["view"] != written())
        os.kill(pids["control"], signal.SIGSTOP)
        last = written()
        resource.prlimit(pids["answer"], resource.RLIMIT_NOFILE, most)
        wait_for("the last world", lambda: s.explain_txt("192.0.2.1")["view"] == last)
        wait_for("the last keys", lambda: s.log().count("answer keys.taken") == 2)
        os.kill(pids["control"], signal.SIGCONT)


if __name__ == "__main__":
    run([what_found_no_descriptor_is_taken_later, no_question_is_lost, http_under_load_takes_no_question_away])
