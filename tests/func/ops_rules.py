#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What operators change at run time beside vendors: rooms by the thousand, nodes, addresses,
definitions, static shares; and that every such change can be tried, ramped, ended and undone."""
import os
import sqlite3
import subprocess
import time

import dns.edns

from sluice import BUILD, TOP, Sluice, demo_with_ingests, run, wait_for

catalog = demo_with_ingests("""nodes:
  - {name: gd-1, vendor: gamma, group: CN/GD/telecom, capacity_mbps: 30000, a: [203.0.113.101]}
  - {name: gd-2, vendor: gamma, group: CN/GD/telecom, capacity_mbps: 10000, a: [203.0.113.102]}
streams:
  - {name: file-room, service: live, vendors: [alpha, beta], encrypted: true}
""")
daemon = Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": catalog.encode()})
GD, US = "202.96.128.86", "8.8.8.8"
LIVE = ("--service", "live")


def vendors_of(stream, n=30, ip=GD):
    """Who is named first for a stream, over some clients."""
    status, body = daemon.get("/v1/resolve?host=live.sluice.example&ip=%s&stream=%s&client=%d"
                              % (ip, stream, n))
    return {a["vendor"] for a in body["answers"]} if status == 200 else {body["error"]["code"]}


def rooms(pattern="*"):
    return {r["stream"]: r for r in daemon.ctl("stream", "list", pattern, "--limit", "99999")["streams"]}


def rooms_open_by_the_thousand_at_once():
    names = ["room-%04d" % i for i in range(4000)]
    before = daemon.ctl("history")["changes"][0]["change"]
    began = time.monotonic()
    told = daemon.ctl("stream", "add", "-", *LIVE, "--vendors", "alpha,beta", text="\n".join(names))
    took = time.monotonic() - began
    assert (told["streams"], told["changed"], told["change"]) == (4000, 4000, before + 1), told
    wait_for("the rooms to be served", lambda: vendors_of("room-3999") == {"alpha", "beta"})
    assert len(rooms("room-*")) == 4000
    print("4000 rooms in %.2f s" % took)
    again = daemon.ctl("stream", "add", "-", *LIVE, "--vendors", "alpha,beta", text="\n".join(names))
    assert again["changed"] == 0, again


def one_bad_name_opens_no_room():
    for text in ("good-1\nbad-*\n", "good-1\n" + "x" * 65, " \n"):
        code, error = daemon.ctl("stream", "add", "-", *LIVE, text=text, ok=False)
        assert code == 1 and "stream" in error, (text, error)
    assert daemon.ctl("stream", "add", "good-1", *LIVE, "--vendors", "nobody", ok=False)[0] == 1
    assert daemon.ctl("stream", "add", "good-1", *LIVE, "--ingest", "west", ok=False)[0] == 1
    assert daemon.ctl("stream", "add", "good-1", "--service", "nothing", ok=False)[0] == 1
    assert rooms("good-*") == {}


def a_room_changes_its_vendors_and_closes_by_itself():
    told = daemon.ctl("stream", "vendors", "room-00*", "gamma", *LIVE, "--dry-run")
    assert told["streams"] == 100 and told["dry_run"], told
    assert rooms("room-0000")["room-0000"]["vendors"] == "alpha,beta"
    daemon.ctl("stream", "vendors", "room-0000", "gamma", *LIVE, "--for", "5s", "--why", "a guest")
    wait_for("the new vendor", lambda: vendors_of("room-0000") == {"gamma"})
    wait_for("the old ones again", lambda: vendors_of("room-0000") == {"alpha", "beta"})
    assert daemon.ctl("history")["changes"][0]["who"] == "expiry"
    daemon.ctl("stream", "add", "brief", *LIVE, "--vendors", "beta", "--for", "1s")
    wait_for("the end of a brief room", lambda: "brief" not in rooms())


def a_ramp_takes_rooms_one_by_one():
    daemon.ctl("stream", "vendors", "room-01*", "gamma", *LIVE, "--ramp", "8s")

    def moved():
        return sum(r["vendors"] == "gamma" for r in rooms("room-01*").values())
    assert moved() < 60
    wait_for("some to have moved", lambda: 5 < moved() < 95)
    wait_for("all to have moved", lambda: moved() == 100)
    wait_for("it to be served", lambda: vendors_of("room-0123") == {"gamma"})


def encryption_ends_and_ingests_change_places():
    assert rooms("file-room")["file-room"]["encrypted"]
    told = daemon.ctl("stream", "encrypt", "*", "off", *LIVE)
    assert told["changed"] == 1, told  # only one was encrypted
    assert not rooms("file-room")["file-room"]["encrypted"]

    def points():
        status, body = daemon.get("/v1/publish?host=live.sluice.example&stream=room-0001")
        assert status == 200, body
        return body["primary"]["name"], body["backup"]["name"]
    main, backup = points()
    daemon.ctl("stream", "ingest", "room-0001", "other", *LIVE)
    wait_for("main and backup to change places", lambda: points() == (backup, main))
    daemon.ctl("stream", "ingest", "room-0001", "other", *LIVE)
    wait_for("and back", lambda: points() == (main, backup))
    assert daemon.ctl("stream", "ingest", "room-0001", "west", *LIVE, ok=False)[0] == 1


def the_file_s_rooms_are_overlaid_and_come_back():
    code, error = daemon.ctl("stream", "remove", "untouched", *LIVE, ok=False)
    assert code == 1 and "no stream" in error, error
    assert rooms("file-room")["file-room"]["origin"] == "operator"
    daemon.ctl("stream", "remove", "file-room", *LIVE)
    row = rooms("file-room")["file-room"]
    assert (row["origin"], row["encrypted"]) == ("catalogue", True), row
    code, error = daemon.ctl("stream", "remove", "file-room", *LIVE, ok=False)
    assert code == 1 and "catalogue file" in error, error
    daemon.ctl("stream", "remove", "file-room", *LIVE, "--for", "4s")
    assert rooms("file-room") == {}
    wait_for("it to be back", lambda: rooms("file-room"))


def rooms_survive_kill_9_and_a_reload():
    daemon.kill("control")
    wait_for("control to be back", lambda: daemon.probe(daemon.admin))
    assert len(rooms("room-*")) == 4000
    daemon.ctl("reload")
    daemon.tick()
    assert vendors_of("room-0123") == {"gamma"}


def a_rollback_closes_what_was_opened_since():
    last = daemon.ctl("history")["changes"][0]["change"]
    daemon.ctl("stream", "add", "-", *LIVE, text="\n".join("late-%d" % i for i in range(500)))
    assert len(rooms("late-*")) == 500
    daemon.ctl("rollback", str(last))
    assert rooms("late-*") == {}
    daemon.ctl("stream", "remove", "room-*", *LIVE)
    wait_for("no room", lambda: vendors_of("room-0001") == {"alpha", "beta", "gamma"})


def nodes_of():
    answers = daemon.resolve(ip=GD, n=4)["answers"]
    return {n["name"] if isinstance(n, dict) else n for a in answers if a["vendor"] == "gamma"
            for n in a.get("nodes", [])}


def a_node_is_drained_and_comes_back():
    rows = {r["node"]: r for r in daemon.ctl("node", "show")["nodes"]}
    assert rows["gd-1"]["state"] == "up" and rows["gd-1"]["group"] == "CN/GD/telecom", rows
    assert nodes_of() == {"gd-1", "gd-2"}
    told = daemon.ctl("node", "drain", "gd-1", "--dry-run")
    gd = next(r for r in told["impact"] if r["region"] == "CN/GD")
    assert 10 < gd["moves_percent"] < 20, gd
    daemon.ctl("node", "drain", "gd-1", "--why", "disk")
    wait_for("the other node alone", lambda: nodes_of() == {"gd-2"})
    assert daemon.ctl("node", "show", "gd-1")["nodes"][0]["state"] == "drained"
    daemon.ctl("node", "resume", "gd-*")
    wait_for("both nodes", lambda: nodes_of() == {"gd-1", "gd-2"})
    daemon.ctl("node", "drain", "*", "--for", "5s")
    wait_for("the vendor's addresses", lambda: nodes_of() == set())
    wait_for("both nodes again", lambda: nodes_of() == {"gd-1", "gd-2"})
    assert daemon.ctl("node", "drain", "nothing", ok=False)[0] == 1


def codes(ip):
    status, body = daemon.get("/v1/resolve?host=live.sluice.example&ip=%s" % ip)
    return body["error"]["code"] if status == 503 else status


def addresses_are_denied_and_allowed():
    told = daemon.ctl("restrict", "deny", "202.96.128.0/17", "--dry-run")
    gd = next(r for r in told["impact"] if r["region"] == "CN/GD")
    assert gd["moves_percent"] > 0 and "none_percent" in gd, gd
    code, error = daemon.ctl("restrict", "deny", "0.0.0.0/0", ok=False)
    assert code == 1 and "--confirm restrict" in error, error
    assert daemon.ctl("restrict", "deny", "202.96.128.1/17", ok=False)[0] == 2
    daemon.ctl("restrict", "deny", "202.96.128.0/24", "--confirm", "restrict")
    daemon.ctl("restrict", "allow", "202.96.128.0/28")
    wait_for("the denial, and what is allowed within", lambda: codes(GD) == "denied" and
             codes("202.96.128.5") == 200)
    assert codes("202.96.129.1") == 200
    reply = daemon.query("live.sluice.example", "A", ecs=(GD, 32))
    assert not reply.answer, reply
    assert [o.code for o in reply.options if isinstance(o, dns.edns.EDEOption)] == [18], reply
    reply = daemon.query("live.sluice.example", "A", ecs=("202.96.128.0", 24))
    assert reply.answer, reply
    scope = [o.scopelen for o in reply.options if isinstance(o, dns.edns.ECSOption)]
    assert scope == [28], scope
    assert daemon.ctl("explain", "--ip", GD, "--host", "live.sluice.example")["answer"]["reason"] \
        == "address denied by an operator"
    daemon.ctl("restrict", "remove", "*", "--confirm", "*")
    wait_for("nobody denied", lambda: codes(GD) == 200)
    daemon.ctl("restrict", "deny", "202.96.128.0/24", "--vendor", "gam*")
    wait_for("two vendors", lambda: vendors_of("x") == {"alpha", "beta"})
    assert "gamma" in vendors_of("x", ip=US)
    daemon.ctl("restrict", "remove", "gam[*]", ok=False)
    daemon.ctl("restrict", "remove", "*", "--prefix", "202.96.128.0/24")
    assert daemon.ctl("restrict", "list")["rules"] == []


def part_of_the_sessions_take_a_lower_definition():
    def lowered():
        bodies = [daemon.resolve(ip=GD, client="d%d" % i) for i in range(100)]
        return sum("degrade" in b for b in bodies)
    assert lowered() == 0
    daemon.ctl("service", "lower", "50", *LIVE)
    wait_for("about half", lambda: 25 < lowered() < 75)
    daemon.ctl("service", "lower", "off")
    wait_for("none", lambda: lowered() == 0)
    assert daemon.ctl("service", "lower", "101", ok=False)[0] == 1


def share(vendor):
    rows = daemon.ctl("vendor", "show", vendor)["services"]
    return next(r["share_percent"] for r in rows if r["service"] == "live")


def steady_share(vendor):
    """Its share once two seconds have not moved it: what came before has settled."""
    for _ in range(20):
        before = share(vendor)
        time.sleep(2)
        if abs(share(vendor) - before) < 0.1:
            return before
    raise AssertionError("the share of %s does not settle" % vendor)


def static_shares_do_not_follow_the_meters():
    for vendor, mbps in (("alpha", 9000000), ("beta", 1000000), ("gamma", 500000)):
        daemon.ctl("meter", "push", vendor, str(mbps))
    wait_for("alpha over its guarantee", lambda: share("alpha") < 5)
    daemon.ctl("service", "static", "on", *LIVE, "--confirm", "live")
    wait_for("the ratio of the guarantees", lambda: abs(share("alpha") - 100 * 8 / 17) < 0.2)
    assert abs(share("beta") - 100 * 6 / 17) < 0.2
    daemon.ctl("service", "static", "off", *LIVE, "--confirm", "live")
    wait_for("the meters to count again", lambda: share("alpha") < 5)
    time.sleep(0.01)
    for vendor in ("alpha", "beta", "gamma"):
        daemon.ctl("meter", "push", vendor, "1000")
    wait_for("all under their guarantee", lambda: share("alpha") > 20)


def a_vendor_comes_back_by_ramp_or_for_a_time():
    daemon.ctl("vendor", "drain", "alpha", "--confirm", "alpha")
    wait_for("alpha drained", lambda: share("alpha") == 0)
    daemon.ctl("vendor", "resume", "alpha", "--ramp", "8s", "--confirm", "alpha")
    between = wait_for("part of the share", lambda: 1 < share("alpha") < 25 and share("alpha"))
    wait_for("all of it", lambda: share("alpha") > between and not daemon.ctl("rules")["rules"])
    daemon.ctl("vendor", "drain", "alpha", "--confirm", "alpha")
    wait_for("alpha drained", lambda: share("alpha") == 0)
    daemon.ctl("vendor", "resume", "alpha", "--for", "6s", "--confirm", "alpha")
    wait_for("alpha for a time", lambda: share("alpha") > 5)
    assert daemon.ctl("rules")["rules"][0]["begins_in_s"] > 0
    wait_for("alpha drained again", lambda: share("alpha") == 0)
    code, error = daemon.ctl("vendor", "resume", "alpha", "--for", "2s", "--ramp", "1s", ok=False)
    assert code == 1 and "not both" in error, error
    daemon.ctl("vendor", "resume", "alpha", "--confirm", "alpha")
    daemon.ctl("vendor", "weight", "gamma", "0", *LIVE)
    wait_for("no weight", lambda: share("gamma") == 0)
    daemon.ctl("vendor", "weight", "gamma", "off", *LIVE, "--ramp", "6s")
    wait_for("some of it", lambda: 0 < share("gamma") < 15)
    wait_for("no rule left", lambda: daemon.ctl("rules")["rules"] == [])


def a_locked_store_at_the_start_forgets_no_decision():
    daemon.ctl("vendor", "drain", "alpha", *LIVE, "--confirm", "alpha")
    daemon.ctl("stream", "add", "kept", *LIVE, "--vendors", "beta")
    wait_for("both", lambda: share("alpha") == 0 and vendors_of("kept") == {"beta"})
    pid = daemon.pids()["control"]
    db = sqlite3.connect(daemon.state + "/store.db", timeout=60, isolation_level=None)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    os.kill(pid, 9)
    wait_for("the lock", lambda: lock(db))
    wait_for("control to be back", lambda: daemon.pids().get("control") not in (None, pid)
             and daemon.probe(daemon.admin))
    daemon.tick()
    assert share("alpha") == 0 and vendors_of("kept") == {"beta"}
    assert daemon.ctl("vendor", "weight", "beta", "2", ok=False)[0] == 1
    db.close()
    wait_for("the store", lambda: daemon.ctl("vendor", "resume", "alpha", *LIVE, "--confirm", "alpha",
                                             ok=False)[0] == 0)
    wait_for("its share", lambda: share("alpha") > 5)
    daemon.ctl("stream", "remove", "kept", *LIVE)


def lock(db):
    try:
        db.execute("BEGIN EXCLUSIVE")
        return True
    except sqlite3.OperationalError:
        return False


def the_readme_operates():
    """Every command of README's section, as it stands there."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as readme:
        section = readme.read().split("## Operate it\n", 1)[1].split("\n## ", 1)[0]
    lines = [line.strip() for line in section.split("\n") if line.startswith("    ")]
    assert any("drain" in line for line in lines) and len(lines) > 9, lines
    env = dict(os.environ, PATH=os.path.abspath(BUILD) + ":" + os.environ["PATH"],
               SLUICE_SOCKET=daemon.state + "/admin.sock", SLUICE_HTTP=str(daemon.http))
    before = steady_share("gamma")
    for line in lines:
        done = subprocess.run(["bash", "-c", line], env=env, capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 0, (line, done.stderr)
        if "drain gamma --for" in line:
            wait_for("gamma without a share", lambda: share("gamma") == 0)
        if "client=" in line:
            assert set(done.stdout.split()) <= {"alpha", "beta"} and len(done.stdout.split()) == 9, done.stdout
        if "rollback" in line:
            wait_for("gamma's share again", lambda: abs(share("gamma") - before) < 1)
    assert daemon.ctl("rules")["rules"] == []
    daemon.ctl("stream", "remove", "my-room", *LIVE)


def names_complete():
    def names(what):
        return subprocess.run([os.path.join(BUILD, "sluicectl"), "--socket",
                               daemon.state + "/admin.sock", "names", what], capture_output=True,
                              text=True, check=True, timeout=60).stdout.split()
    assert names("nodes") == ["gd-1", "gd-2"] and "live" in names("services")
    assert "blacklist" in names("plans") and "CN/GD/telecom" in names("groups")
    script = """. %s; COMP_WORDS=(%s); COMP_CWORD=%d; _sluicectl; echo "${COMPREPLY[@]}" """

    def complete(*line):
        env = dict(os.environ, PATH=os.path.abspath(BUILD) + ":" + os.environ["PATH"],
                   SLUICE_SOCKET=daemon.state + "/admin.sock")
        text = script % (os.path.join(TOP, "contrib/bash-completion/sluicectl"),
                         " ".join('"%s"' % w for w in ("sluicectl", *line)), len(line))
        return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True,
                              env=env, timeout=60).stdout.split()
    assert complete("vendor", "drain", "a") == ["alpha"]
    assert complete("node", "drain", "gd") == ["gd-1", "gd-2"]
    assert complete("vendor", "drain", "alpha", "--service", "li") == ["live"]
    assert complete("plan", "arm", "bl") == ["blacklist"]
    assert "--ramp" in complete("vendor", "drain", "alpha", "--r")


with daemon:
    run([rooms_open_by_the_thousand_at_once, one_bad_name_opens_no_room,
         a_room_changes_its_vendors_and_closes_by_itself, a_ramp_takes_rooms_one_by_one,
         encryption_ends_and_ingests_change_places, the_file_s_rooms_are_overlaid_and_come_back,
         rooms_survive_kill_9_and_a_reload, a_rollback_closes_what_was_opened_since,
         a_node_is_drained_and_comes_back, addresses_are_denied_and_allowed,
         part_of_the_sessions_take_a_lower_definition, static_shares_do_not_follow_the_meters,
         a_vendor_comes_back_by_ramp_or_for_a_time, a_locked_store_at_the_start_forgets_no_decision,
         the_readme_operates, names_complete])
