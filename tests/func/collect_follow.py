#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Logs of this machine that are followed: each line counts once, over lines that are written in two
parts, rotation by renaming and by copying and truncating, and restarts of the collect process."""
import json
import os
import shutil
import subprocess
import time

from sluice import BUILD, Sluice, run, wait_for

CLIENT = "202.96.128.9"


def line(octets=1000, status=200):
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    return '%s - - [%s] "GET /a.flv HTTP/1.1" %d %d "-" "player" 0.100\n' % (CLIENT, when, status, octets)


class Log:
    def __init__(self, s, name="access.log"):
        self.path = os.path.join(s.dir, name)
        self.f = open(self.path, "a", encoding="ascii")

    def write(self, n):
        self.f.write("".join(line() for _ in range(n)))
        self.f.flush()

    def rename(self):
        os.rename(self.path, self.path + ".1")

    def reopen(self):
        self.f.close()
        self.f = open(self.path, "a", encoding="ascii")


def counted(s):
    dump = subprocess.run([os.path.join(BUILD, "sluicectl"), "world", "dump", os.path.join(s.state, "facts.blob")],
                          capture_output=True, text=True, check=False)
    if dump.returncode:
        return 0
    f = json.loads(dump.stdout)
    assert all(c["log_octets"] == 1000 * c["log_requests"] for c in f["cells"]), f["cells"]
    return sum(c["log_requests"] for c in f["cells"])


def expect(s, n):
    wait_for("%d lines to be counted" % n, lambda: counted(s) >= n)
    assert counted(s) == n, (counted(s), n)


def follow():
    extra = 'follow:\n  - {file: access.log, vendor: alpha}\n  - {file: late.log, vendor: beta, format: nginx}\n'
    with Sluice(extra=extra, prepare={"access.log": (line() * 50).encode()}) as s:
        log, n = Log(s), 0
        log.write(3)
        n += 3
        expect(s, n)  # what stood there before is not new
        log.f.write(line()[:40])
        log.f.flush()
        time.sleep(1)
        assert counted(s) == n
        log.f.write(line()[40:])
        log.write(1)
        n += 2
        expect(s, n)

        log.rename()  # the writer goes on in the renamed file for a while
        log.write(4)
        time.sleep(0.3)
        log.write(4)
        log.reopen()
        log.write(5)
        n += 13
        expect(s, n)

        shutil.copy(log.path, log.path + ".2")  # copied and truncated, twice: short, and grown past where it was
        log.f.truncate(0)
        time.sleep(1)
        log.write(2)
        n += 2
        expect(s, n)
        with open(log.path, "r+", encoding="ascii") as f:
            f.truncate(0)
            f.write("# begun anew\n" + "".join(line() for _ in range(40)))
        n += 40
        expect(s, n)
        log.reopen()

        s.kill("collect")
        log.write(6)
        log.rename()
        log.write(7)
        log.reopen()
        log.write(8)
        n += 21
        wait_for("collect to be back", lambda: s.probe(s.reports))
        expect(s, n)

        late = Log(s, "late.log")  # was not there before
        late.write(9)
        n += 9
        expect(s, n)

        assert s.stop() == 0  # the windows go with the supervisor, the positions do not
        late.write(10)
        log.write(11)
        os.remove(os.path.join(s.state, "facts.blob"))
        s.start()
        expect(s, 21)
        log.f.write("this is no line\n")
        log.write(1)
        expect(s, 22)
        wait_for("the refusal to be told", lambda: ("logs/line", 1) in [
            (r["source"], r["refused"]) for r in s.ctl("quality")["sources"]])


def a_bad_format_is_refused():
    s = Sluice(extra="follow: [{file: a, vendor: alpha, format: shoe}]\n")
    try:
        s.start(wait=False)
        wait_for("the refusal", lambda: "no such format or columns" in s.log())
    finally:
        s.stop()
        shutil.rmtree(s.dir)


run([follow, a_bad_format_is_refused])
