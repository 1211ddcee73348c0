#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Durable state under force: kill -9 in the middle of every kind of write, a full disk, and what
works on the files alone with control dead."""
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time

from sluice import BUILD, LONG, TOP, Sluice, run, typed, wait_for

daemon = Sluice(extra="tick_ms: 200")
rng = random.Random(7)
LIVE = ("--service", "live")


def ctl(*words):
    return subprocess.Popen([os.path.join(BUILD, "sluicectl"), "--socket", daemon.state + "/admin.sock",
                             "--json", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def rules():
    return {(r["rule"], r.get("vendor"), r.get("value")) for r in daemon.ctl("rules")["rules"]}


def rooms():
    return len(daemon.ctl("stream", "list", "kill-*", "--limit", "1")["streams"]) and \
        daemon.ctl("stream", "list", "kill-*", "--limit", "1")["matching"]


def plans():
    return {p["plan"]: p["state"] for p in daemon.ctl("plan", "list")["plans"]}


def state_of(plan):
    return lambda: plans().get(plan)


def switch():
    return daemon.ctl("switch", "list")["switches"][0]["state"]


def tokens():
    return {t.get("name", t.get("token")) for t in daemon.ctl("token", "list")["tokens"]}


def catalogue():
    return daemon.read("catalog.yaml")


def kill_in_the_middle_of_every_kind_of_write():
    """Each is written while control is killed at some moment: acknowledged, it is there; else it is
    there whole or not at all; and the next start is sound."""
    good = catalogue()
    new = good.replace("max_mbps: 9000000", "max_mbps: 8500000")
    assert new != good
    daemon.write("new.yaml", new)
    daemon.write("old.yaml", good)
    daemon.write("own.yaml", "mode: manual\ndo: [{command: vendor drain, args: {vendor: beta}}]\n")
    names = "\n".join("kill-%d" % i for i in range(3000))
    kinds = [  # words, standard input, what to look at, as it is before and after
        (("vendor", "weight", "gamma", "0.7"), None, rules, set(), {("weight", "gamma", 0.7)}),
        (("vendor", "weight", "gamma", "off"), None, rules, {("weight", "gamma", 0.7)}, set()),
        (("stream", "add", "-", *LIVE), names, rooms, 0, 3000),
        (("stream", "vendors", "kill-*", "alpha", *LIVE), None, rooms, 3000, 3000),
        (("stream", "remove", "-", *LIVE), names, rooms, 3000, 0),
        (("plan", "add", "own", daemon.dir + "/own.yaml"), None, state_of("own"), None, "idle"),
        (("plan", "veto", "own"), None, state_of("own"), "idle", "vetoed"),
        (("plan", "remove", "own"), None, state_of("own"), "vetoed", None),
        (("switch", "set", "plans", "off"), None, switch, "on", "off"),
        (("switch", "set", "plans", "on"), None, switch, "off", "on"),
        (("token", "add", "tom", "--role", "viewer"), None, lambda: "tom" in tokens(), False, True),
        (("token", "remove", "tom"), None, lambda: "tom" in tokens(), True, False),
        (("config", "apply", daemon.dir + "/new.yaml"), None, catalogue, good, new),
        (("config", "apply", daemon.dir + "/old.yaml"), None, catalogue, new, good)]
    cut = 0
    for words, text, look, before, after in kinds:
        for delay in (0.002, 0.01, 0.03, 0.1, 0.3, None) if LONG else (0.02, None):
            if look() == after and before != after:
                break
            asked = ctl(*words)
            if text:
                asked.stdin.write(text)
            asked.stdin.close()
            pid = daemon.pids()["control"]
            if delay is not None:
                time.sleep(delay * rng.uniform(0.5, 1.5))
                os.kill(pid, signal.SIGKILL)
            asked.wait(60)
            wait_for("control to be back", lambda pid=pid, delay=delay: delay is None or (
                daemon.pids().get("control") not in (None, pid)))
            wait_for("its door", lambda: daemon.probe(daemon.admin))
            now = look()
            assert now in (before, after), (words, delay, str(now)[:200])
            if asked.returncode == 0:
                assert now == after, (words, delay, "was acknowledged")
            cut += delay is not None and asked.returncode != 0
            asked.stdout.close()
            asked.stderr.close()
        wait_for("%s to be done" % (words,), lambda: look() == after)
    assert daemon.ctl("audit", "verify")["rows"] > 10
    assert cut > 2, cut  # some were cut off in the middle
    print("%d writes cut off" % cut)


def generations():
    out = subprocess.run([os.path.join(BUILD, "sluicectl"), "world", "dump",
                          daemon.state + "/world/tick.blob"], capture_output=True, text=True,
                         timeout=60, check=True).stdout
    head = json.loads(out)
    return head["epoch"], head["generation"]


def world_install_with_control_dead():
    daemon.tick()
    wait_for("a world to be kept", lambda: len([n for n in os.listdir(daemon.state + "/history")
                                                if n.isdigit()]) > 1)
    kept = daemon.state + "/history/" + max(n for n in os.listdir(daemon.state + "/history") if n.isdigit())
    install = [os.path.join(BUILD, "sluicectl"), "world", "install", kept, "--state", daemon.state]
    daemon.ctl("vendor", "drain", "alpha", "--confirm", "alpha")

    def share():
        rows = daemon.ctl("vendor", "show", "alpha")["services"]
        return next(r["share_percent"] for r in rows if r["service"] == "live")
    wait_for("the drain", lambda: share() == 0)
    alive = subprocess.run(install, capture_output=True, text=True, timeout=60, check=False)
    assert alive.returncode == 1 and "answers" in alive.stderr, alive
    pid = daemon.pids()["control"]
    os.kill(daemon.process.pid, signal.SIGSTOP)  # the supervisor, so that it stays dead
    os.kill(pid, signal.SIGKILL)
    try:
        wait_for("control to be dead", lambda: not daemon.probe(daemon.admin))
        before = generations()
        undo = [install[0], "rollback", "--offline", "--state", daemon.state]
        for option in (["--for", "5m"], ["--ramp", "5m"]):
            told = subprocess.run(undo + option, capture_output=True, text=True, timeout=60, check=False)
            assert told.returncode == 1 and "control process" in told.stderr and generations() == before, told
        for words in (install, undo):
            told = subprocess.run(words + ["--dry-run", "--json"], capture_output=True, text=True, timeout=60, check=True)
            told = json.loads(told.stdout)
            assert told["dry_run"] and generations() == before, told
            everybody = told["impact"][0]
            assert everybody["region"] == "all" and everybody["moves_percent"] > 33, everybody
            assert everybody["alpha_percent"].startswith("0.0 -> "), everybody
            assert everybody["alpha_percent"] != "0.0 -> 0.0", everybody
            assert "CN/GD" in [r["region"] for r in told["impact"]], told
            for answer in ("no", "world" if words == undo else "rollback"):
                assert typed(words, answer)[0] == 1 and generations() == before, answer
        code, shown = typed(install, "world")
        assert code == 0 and "Type world to go ahead" in shown and "alpha_percent" in shown, shown
        assert generations() == (before[0], before[1] + 1)
        before = generations()
        bad = subprocess.run(install[:3] + [daemon.dir, "--state", daemon.state], capture_output=True,
                             text=True, timeout=60, check=False)
        assert bad.returncode == 1 and generations() == before, bad
        subprocess.run(install, capture_output=True, text=True, timeout=60, check=True)
        assert generations() == (before[0], before[1] + 1)
        wait_for("answers from the kept world", lambda: any(
            daemon.resolve(ip="202.96.128.86", client="w%d" % i)["answers"][0]["vendor"] == "alpha"
            for i in range(30)))
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    wait_for("control to be back", lambda: daemon.pids().get("control") not in (None, pid)
             and daemon.probe(daemon.admin))
    wait_for("the decision, which stands", lambda: share() == 0)
    daemon.ctl("vendor", "resume", "alpha", "--confirm", "alpha")


def history_is_kept_and_thinned():
    """A change keeps its world; what is older than ten minutes is thinned to one a minute, and
    older than a day it goes."""
    folder = daemon.state + "/history"
    real = max((n for n in os.listdir(folder) if n.isdigit()), key=int)
    now = int(time.time() * 1000)
    day, minute = 86400000, 60000
    base = (now - 3600000) // minute * minute
    made = [now - day - minute, base + 1000, base + 2000, base + 30000, base + minute + 5]
    for t in made:
        whole = os.path.join(daemon.dir, "whole")  # it appears as a whole, or is thinned while it is copied
        shutil.copytree(os.path.join(folder, real), whole)
        os.rename(whole, os.path.join(folder, str(t)))
    daemon.ctl("vendor", "weight", "gamma", "0.95")
    wait_for("the thinning", lambda: [t for t in made if os.path.exists(os.path.join(folder, str(t)))]
             == [base + 1000, base + minute + 5])
    daemon.ctl("vendor", "weight", "gamma", "off")


def a_full_disk_refuses_and_serving_goes_on():
    if os.geteuid() != 0:
        print("not root: no small disk to fill")
        return
    small = Sluice(extra="tick_ms: 200")
    os.mkdir(small.state)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=0755", "tmpfs", small.state],
                      capture_output=True, check=False).returncode:
        print("no mount here: no small disk to fill")
        shutil.rmtree(small.dir)
        return
    try:
        with small:
            fill(small)
    finally:
        subprocess.run(["umount", "-l", small.state], check=False)
        shutil.rmtree(small.dir, ignore_errors=True)


def alerts(d):
    return {(a["alert"], a["state"]) for a in d.ctl("alert", "list")["alerts"]}


def fill(small):
    small.ctl("vendor", "weight", "gamma", "0.9")
    small.ctl("plan", "arm", "cap", "--vendor", "beta", "--value", "1000000")
    roles = small.pids()
    with open(small.state + "/ballast", "wb", buffering=0) as f:  # nothing is left to write at its end
        try:
            while True:
                f.write(b"x" * 65536)
        except OSError:
            pass
    code, error = 0, ""
    for i in range(200):  # until the log's own room is used up
        code, error = small.ctl("plan", "veto", "evacuate", ok=False) if i % 2 else \
            small.ctl("vendor", "weight", "gamma", str(0.5 + i / 1000), "--why", "x" * 200, ok=False)
        if code:
            break
    assert code == 1 and ("full" in error or "space" in error), error
    assert small.ctl("plan", "fire", "cap", "--confirm", "cap", ok=False)[0] == 1
    state = {p["plan"]: p["state"] for p in small.ctl("plan", "list")["plans"]}["cap"]
    assert state != "fired", "it is undone with its call"
    refused = small.ctl("status")["store_broken"]
    assert "full" in refused or "space" in refused, refused
    wait_for("store-unusable", lambda: ("store-unusable", "firing") in alerts(small))
    known = [r["value"] for r in small.ctl("rules")["rules"]]
    for i in range(50):
        assert small.resolve(ip="202.96.128.86", client="f%d" % i)["answers"]
    assert small.query("live.sluice.example", "A").answer
    with open(os.path.join(TOP, "geo", "nets.csv"), encoding="utf-8") as nets:  # groups that nobody came from
        for prefix in [line.split("/")[0] for line in nets if re.match(r"\d+\.", line)]:
            assert small.resolve(ip=prefix, client="c")["answers"]
            assert small.query("drill.sluice.example", "A", ecs=(prefix, 24)).answer
    assert small.pids() == roles, small.pids()
    assert [r["value"] for r in small.ctl("rules")["rules"]] == known
    os.unlink(small.state + "/ballast")
    wait_for("room again", lambda: small.ctl("vendor", "weight", "gamma", "0.4", ok=False)[0] == 0)
    assert [r["value"] for r in small.ctl("rules")["rules"]] == [0.4]
    wait_for("the end of store-unusable", lambda: not [1 for name, _ in alerts(small) if name == "store-unusable"])
    assert "store_broken" not in small.ctl("status")
    rows = small.ctl("audit", "list", "--limit", "5000")["rows"]
    assert any("full" in r["result"] or "space" in r["result"] for r in rows), "what was refused is audited too"
    assert small.ctl("audit", "verify")["rows"] > 2


def reads_are_audited_over_kill_9_and_a_locked_store():
    """A read is answered at once, its row comes later: also when control is killed in between."""
    def rows(ip):
        return sum(ip in r["args"] for r in daemon.ctl("audit", "list", "--limit", "5000")["rows"])

    def look(ip):
        daemon.ctl("explain", "--ip", ip, "--host", "live.sluice.example")

    def killed():
        pid = daemon.pids()["control"]
        os.kill(pid, signal.SIGKILL)
        wait_for("control to be back", lambda: daemon.pids().get("control") not in (None, pid)
                 and daemon.probe(daemon.admin))
    for _ in range(5):
        look("192.0.2.77")
    killed()
    wait_for("their rows", lambda: rows("192.0.2.77") >= 5)
    daemon.tick()
    db = sqlite3.connect(daemon.state + "/store.db", timeout=60, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")  # nobody else writes
    look("192.0.2.78")
    code, error = daemon.ctl("vendor", "weight", "gamma", "0.5", ok=False)
    assert code == 1 and "cannot be used" in error, error
    killed()
    daemon.tick()
    look("192.0.2.79")
    db.execute("ROLLBACK")
    db.close()
    wait_for("their rows", lambda: rows("192.0.2.78") == 1 and rows("192.0.2.79") == 1)
    assert any("vendor weight" == r["command"] and "cannot be used" in r["result"]
               for r in daemon.ctl("audit", "list", "--limit", "5000")["rows"])
    wait_for("nothing to wait", lambda: not os.path.exists(daemon.state + "/audit.waiting"))
    assert daemon.ctl("audit", "verify")["rows"] > 7


with daemon:
    run([kill_in_the_middle_of_every_kind_of_write, world_install_with_control_dead,
         history_is_kept_and_thinned, reads_are_audited_over_kill_9_and_a_locked_store,
         a_full_disk_refuses_and_serving_goes_on])
