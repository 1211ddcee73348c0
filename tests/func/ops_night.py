#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A night on duty with sluicectl alone: what moves viewers, what is kept of it, who may."""
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import time

from sluice import BUILD, Sluice, run, typed, wait_for

daemon = Sluice(extra="tick_ms: 200")


def share(vendor, service="live"):
    rows = daemon.ctl("vendor", "show", vendor)["services"]
    return next(r["share_percent"] for r in rows if r["service"] == service)


def api(method, path, token=None, body=None):
    c = http.client.HTTPConnection("127.0.0.1", daemon.admin, timeout=60)
    c.request(method, path, json.dumps(body) if body is not None else None,
              {"Authorization": "Bearer " + token} if token else {})
    r = c.getresponse()
    return r.status, json.loads(r.read())


def human(*words):
    return subprocess.run([os.path.join(BUILD, "sluicectl"), "--socket", daemon.state + "/admin.sock", *words],
                          capture_output=True, text=True, timeout=60, check=False)


def dry_run_says_who_moves_and_changes_nothing():
    told = daemon.ctl("vendor", "drain", "alpha", "--dry-run")
    everybody = next(r for r in told["impact"] if r["region"] == "all")
    assert 40 < everybody["moves_percent"] < 55, everybody
    assert everybody["alpha_percent"].endswith("-> 0.0"), everybody
    assert told["dry_run"] and "change" not in told
    assert daemon.ctl("rules")["rules"] == []


def a_grave_change_wants_its_name():
    before = share("alpha")
    code, error = daemon.ctl("vendor", "drain", "alpha", ok=False)
    assert code == 1 and "--confirm alpha" in error, (code, error)
    code, error = daemon.ctl("vendor", "drain", "alpha", "--confirm", "beta", ok=False)
    assert code == 1, (code, error)
    assert daemon.ctl("rules")["rules"] == []
    refused = human("vendor", "drain", "alpha")
    assert refused.returncode == 1 and "moves" in refused.stderr and not refused.stdout.startswith("{")
    drain = [os.path.join(BUILD, "sluicectl"), "--socket", daemon.state + "/admin.sock", "vendor", "drain", "alpha"]
    code, shown = typed(drain, "beta")
    assert code == 1 and "Type alpha to go ahead" in shown and daemon.ctl("rules")["rules"] == [], shown
    code, shown = typed(drain, "alpha")
    assert code == 0 and "moves_percent" in shown and len(daemon.ctl("rules")["rules"]) == 1, shown
    daemon.ctl("vendor", "resume", "alpha", "--confirm", "alpha")
    wait_for("its share to be back", lambda: share("alpha") == before)


def drain_by_ramp_watch_and_roll_back():
    before = share("alpha")
    daemon.ctl("vendor", "drain", "alpha", "--ramp", "8s", "--confirm", "alpha", "--why", "slow in the south")
    between = wait_for("a share on its way down", lambda: 1 < share("alpha") < before - 1 and share("alpha"))
    wait_for("the vendor to be drained", lambda: share("alpha") == 0)
    assert between > 0
    for i in range(50):
        answers = daemon.resolve(ip="202.96.128.86", client="n%d" % i)["answers"]
        assert answers[0]["vendor"] != "alpha", answers
    row = daemon.ctl("history")["changes"][0]
    assert (row["command"], row["why"], row["from"]) == ("vendor drain", "slow in the south", "socket"), row
    item = daemon.ctl("diff")["items"][0]
    assert item["key"] == "rule|drain|alpha||" and item["before"] == "", item
    daemon.ctl("rollback", "--confirm", "rollback")
    wait_for("the share to be back", lambda: share("alpha") == before)
    assert daemon.ctl("history")["changes"][0]["command"] == "rollback"


def a_change_ends_by_itself():
    daemon.ctl("blacklist", "add", "gamma", "--groups", "CN/GD", "--for", "5s")
    told = daemon.ctl("explain", "--ip", "202.96.128.86", "--host", "live.sluice.example")
    wait_for("the blacklist to hold", lambda: any(
        v["reason"] == "blacklisted" for v in daemon.ctl(
            "explain", "--ip", "202.96.128.86", "--host", "live.sluice.example")["vendors"]))
    assert told["group"] == "CN/GD/telecom"
    wait_for("its end", lambda: daemon.ctl("rules")["rules"] == [])
    assert daemon.ctl("history")["changes"][0]["who"] == "expiry"


def weights_caps_and_restrictions():
    daemon.ctl("vendor", "weight", "gamma", "0", "--service", "drill")
    wait_for("no share without a weight", lambda: share("gamma", "drill") == 0)
    assert share("gamma", "live") > 0
    daemon.ctl("vendor", "weight", "gamma", "off", "--service", "drill")
    wait_for("the share to be back", lambda: share("gamma", "drill") > 0)
    daemon.ctl("vendor", "cap", "beta", "1000000")
    wait_for("the cap", lambda: daemon.ctl("vendor", "show", "beta")["vendors"][0]["max_mbps"] == 1000000)
    daemon.ctl("vendor", "cap", "beta", "off", "--confirm", "beta")
    wait_for("no cap", lambda: daemon.ctl("vendor", "show", "beta")["vendors"][0]["max_mbps"] == 16000000)
    daemon.ctl("restrict", "add", "gam*", "--groups", "*/*/telecom")
    rows = daemon.ctl("restrict", "list")["rules"]
    assert [(r["vendor"], r["groups"]) for r in rows] == [("gamma", "*/*/telecom")], rows
    daemon.ctl("restrict", "remove", "gamma")
    assert daemon.ctl("restrict", "list")["rules"] == []
    for words in (("vendor", "weight", "nobody", "1"), ("vendor", "weight", "alpha", "-1"),
                  ("vendor", "cap", "alpha", "much"), ("blacklist", "add", "alpha", "--groups", "XX/YY"),
                  ("vendor", "resume", "alpha"), ("vendor", "drain", "alpha", "--service", "nothing")):
        code, error = daemon.ctl(*words, ok=False)
        assert code == 1 and error, words


def what_is_mistyped_is_told():
    for words, want in (
            (("vendor", "drain", "gama"), "no vendor is called gama; did you mean gamma?"),
            (("vendor", "drain", "gamma", "--groups", "CN/DG"), "no group is called CN/DG; did you mean CN/GD?"),
            (("vendor", "drain", "gamma", "--groups", "CN/*/telcom"), "did you mean CN/*/telecom?"),
            (("vendor", "drain", "gamma", "--service", "lvie"), "no service is called lvie; did you mean live?"),
            (("quality", "bata"), "did you mean beta?"), (("quality", "--groups", "CN/GD/telcom"), "CN/GD/telecom?"),
            (("hot", "nobody"), "no vendor is called nobody\n"), (("node", "show", "n1"), "no node is called n1\n"),
            (("switch", "set", "forcast", "off"), "no switch is called forcast; did you mean forecast?"),
            (("plan", "arm", "evacute"), "no plan is called evacute; did you mean evacuate?"),
            (("alert", "silence", "role-fall", "--for", "1m"), "did you mean role-fell?"),
            (("vendor", "drain", "gamma", "--for", "0"), "without --for it holds for good")):
        code, error = daemon.ctl(*words, ok=False)
        assert code == 1 and want in error, (words, error)
    code, error = daemon.ctl("--socket", "/nowhere", "status", ok=False)
    assert code == 3 and "/nowhere: not found; is sluiced running there?" in error, error
    # a rule of a vendor that the file no longer has can still be taken away
    daemon.ctl("vendor", "weight", "gamma", "0.9")
    good = daemon.read("catalog.yaml")
    daemon.write("catalog.yaml", good.replace("gamma", "delta"))
    daemon.ctl("reload", "--confirm", "reload")
    wait_for("gamma to be gone", lambda: daemon.ctl("vendor", "drain", "gamma", "--dry-run", ok=False)[0] == 1)
    daemon.ctl("vendor", "weight", "gamma", "off")
    daemon.write("catalog.yaml", good)
    daemon.ctl("reload", "--confirm", "reload")
    wait_for("gamma to be back", lambda: daemon.ctl("vendor", "drain", "gamma", "--dry-run", ok=False)[0] == 0)


def a_retry_is_harmless_and_a_stale_plan_is_refused():
    first = daemon.ctl("vendor", "weight", "beta", "0.9", "--id", "retry-1")
    again = daemon.ctl("vendor", "weight", "beta", "0.9", "--id", "retry-1")
    assert again["change"] == first["change"] and again["repeated"], again
    seen = first["generation"]
    daemon.ctl("vendor", "weight", "beta", "0.8")
    code, error = daemon.ctl("vendor", "weight", "beta", "0.7", "--generation", seen, ok=False)
    assert code == 1 and "was changed by" in error, error
    daemon.ctl("vendor", "weight", "beta", "off")


def tokens_have_roles_scopes_and_an_end():
    viewer = daemon.ctl("token", "add", "eve", "--role", "viewer")["token"]
    scoped = daemon.ctl("token", "add", "dan", "--role", "operator", "--service", "drill")["token"]
    brief = daemon.ctl("token", "add", "bob", "--role", "admin", "--for", "5s")["token"]
    assert api("GET", "/v1/status", viewer)[0] == 200
    assert api("GET", "/v1/status")[0] == 401
    assert api("GET", "/v1/status", viewer[:-1] + "x")[0] == 401
    status, body = api("POST", "/v1/vendor/drain", viewer, {"vendor": "alpha"})
    assert (status, body["error"]["code"]) == (403, "forbidden"), body
    assert api("GET", "/v1/audit", viewer)[0] == 403
    assert api("POST", "/v1/vendor/weight", scoped, {"vendor": "alpha", "weight": "2"})[0] == 403
    assert api("POST", "/v1/vendor/cap", scoped, {"vendor": "alpha", "mbps": "2"})[0] == 403
    assert api("POST", "/v1/vendor/weight", scoped, {"vendor": "alpha", "weight": 2, "service": "drill"})[0] == 200
    assert api("POST", "/v1/vendor/weight", scoped, {"vendor": "alpha", "weight": "off", "service": "drill"})[0] == 200
    wait_for("a refusal in the audit log", lambda: any(
        r["who"] == "eve" and r["result"].startswith("refused")
        for r in daemon.ctl("audit", "list", "--limit", "100")["rows"]))
    wait_for("the end of a token", lambda: api("GET", "/v1/status", brief)[0] == 401)
    daemon.ctl("token", "remove", "eve")
    assert api("GET", "/v1/status", viewer)[0] == 401
    with open(daemon.state + "/store.json", encoding="utf-8") as f:
        assert scoped not in f.read()
    assert scoped not in json.dumps(daemon.ctl("history"))
    wait_for("strangers in the audit log", lambda: any(
        r["who"] == "unknown" and r["command"] == "status" and r["from"] == "127.0.0.1"
        for r in daemon.ctl("audit", "list", "--limit", "100")["rows"]))


def bad_requests_are_refused():
    token = open(daemon.state + "/admin.token", encoding="utf-8").read().strip()
    for path, body in (("/v1/vendor/drain", {}), ("/v1/vendor/drain", {"vendor": "alpha", "colour": "red"}),
                       ("/v1/vendor/drain", {"vendor": ["alpha"]}), ("/v1/vendor/drain", {"vendor": ""}),
                       ("/v1/vendor/drain", {"vendor": "alpha", "ramp": "soon"}), ("/v1/meter", {"meters": 7})):
        status, answer = api("POST", path, token, body)
        assert status == 400 and answer["error"]["message"], (path, body, status, answer)
    assert api("GET", "/v1/explain?ip=1.2.3&host=live.sluice.example", token)[0] == 400
    assert api("GET", "/v1/explain?ip=1.2.3.4&host=nowhere.example", token)[0] == 404
    assert api("GET", "/v1/nothing", token)[0] == 404


def the_audit_log_is_proved_and_tampering_found():
    assert daemon.ctl("audit", "verify")["rows"] > 10
    db = sqlite3.connect(daemon.state + "/store.db", timeout=60)
    row = db.execute("SELECT n, result FROM audit WHERE command = 'vendor drain' LIMIT 1").fetchone()
    db.execute("UPDATE audit SET result = 'done' || result WHERE n = ?", row[:1])
    db.commit()
    code, error = daemon.ctl("audit", "verify", ok=False)
    assert code == 1 and "row %d was changed" % row[0] in error, error
    db.execute("UPDATE audit SET result = ? WHERE n = ?", (row[1], row[0]))
    db.commit()
    db.close()
    assert daemon.ctl("audit", "verify")["rows"] > 10


def kill_9_loses_no_acknowledged_change():
    for i in range(5):
        told = daemon.ctl("vendor", "weight", "gamma", str(1 + i / 10), "--service", "drill")
        daemon.kill("control")
        wait_for("control to be back", lambda: daemon.probe(daemon.admin))
        rows = daemon.ctl("rules")["rules"]
        assert [r["value"] for r in rows] == [1 + i / 10], rows
        assert daemon.ctl("history")["changes"][0]["change"] == told["change"]
    assert daemon.ctl("audit", "verify")["rows"] > 10
    daemon.ctl("vendor", "weight", "gamma", "off", "--service", "drill")


def a_locked_store_refuses_and_scheduling_goes_on():
    db = sqlite3.connect(daemon.state + "/store.db", timeout=60, isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    code, error = daemon.ctl("vendor", "weight", "gamma", "2", ok=False)
    assert code == 1 and "store" in error, error
    daemon.ctl("meter", "push", "alpha", "1000")
    daemon.tick()
    db.execute("ROLLBACK")
    db.close()
    daemon.ctl("vendor", "weight", "gamma", "2", "--service", "drill")
    daemon.ctl("vendor", "weight", "gamma", "off", "--service", "drill")


def control_over_a_spoilt_store(weight, spoil):
    """What was decided is known to the control process that finds its database spoilt."""
    daemon.ctl("vendor", "weight", "gamma", str(weight), "--service", "drill")
    pid = daemon.pids()["control"]
    spoil(daemon.state + "/store.db")
    for end in ("-wal", "-shm"):
        if os.path.exists(daemon.state + "/store.db" + end):
            os.unlink(daemon.state + "/store.db" + end)
    os.kill(pid, signal.SIGKILL)
    wait_for("control to be back", lambda: daemon.pids().get("control") not in (None, pid)
             and daemon.probe(daemon.admin))
    rows = daemon.ctl("rules")["rules"]
    assert [(r["vendor"], r["value"]) for r in rows] == [("gamma", weight)], rows
    daemon.ctl("vendor", "weight", "gamma", "off", "--service", "drill")


def a_corrupt_store_is_rebuilt():
    def overwrite(path):
        with open(path, "r+b") as f:
            f.write(b"\xff" * 8192)
    control_over_a_spoilt_store(3, overwrite)
    assert any(n.startswith("store.db.damaged-") for n in os.listdir(daemon.state))
    assert "store.damaged" in daemon.log()


def a_lost_store_is_rebuilt():
    """Also one that is empty because an earlier rebuilding failed half way."""
    control_over_a_spoilt_store(4, os.unlink)


def rollback_brings_the_catalogue_back():
    good = daemon.read("catalog.yaml")
    daemon.write("catalog.yaml", good.replace("max_mbps: 9000000", "max_mbps: 7000000"))
    daemon.ctl("reload")
    wait_for("the new maximum", lambda: daemon.ctl("vendor", "show", "gamma")["vendors"][0]["max_mbps"] == 7000000)
    wait_for("the change to be kept", lambda: daemon.ctl("history")["changes"][0]["command"] == "reload")
    told = daemon.ctl("rollback")
    assert told["catalogue_restored"], told
    wait_for("the old maximum", lambda: daemon.ctl("vendor", "show", "gamma")["vendors"][0]["max_mbps"] == 9000000)
    assert daemon.read("catalog.yaml") == good


def catalogues_are_kept_by_the_thousand():
    def kept():
        return [name for name in os.listdir(daemon.state + "/history") if name.startswith("catalog-")]
    good, before = daemon.read("catalog.yaml"), kept()
    for i in range(1100):  # as of so many changes, longer ago each
        path = daemon.state + "/history/catalog-%016x.yaml" % i
        with open(path, "w", encoding="utf-8") as f:
            f.write("vendors: []\n")
        os.utime(path, (1e9 - i, 1e9 - i))
    daemon.write("new.yaml", good + "# another\n")
    daemon.ctl("config", "apply", daemon.dir + "/new.yaml")
    now = set(kept())
    assert len(now) == 1000 and now > set(before), len(now)
    assert "catalog-%016x.yaml" % 0 in now and "catalog-%016x.yaml" % 1099 not in now
    daemon.ctl("rollback", "--confirm", "rollback")
    assert daemon.read("catalog.yaml") == good
    for name in now - set(before):
        os.unlink(daemon.state + "/history/" + name)
    code, error = daemon.ctl("rollback", "--dry-run", ok=False)
    assert code == 1 and "the catalogue of that change is kept no more" in error, error


def configuration_is_shown_compared_and_applied():
    rows = {r["value_of"]: r for r in daemon.ctl("config", "show", "--effective")["values"]}
    assert rows["vendors[0].max_mbps"]["value"] == 14000000, rows
    assert "catalog.yaml:" in rows["vendors[0].max_mbps"]["origin"], rows
    daemon.ctl("vendor", "weight", "gamma", "0.5", "--service", "live", "--why", "dear")
    daemon.tick()
    rows = {r["value_of"]: r for r in daemon.ctl("config", "show", "--effective")["values"]}
    assert rows["services[0].ttl_s"]["value"] == 20 and "catalog.yaml:" in rows["services[0].ttl_s"]["origin"], rows
    assert rows["services[0].negative_ttl_s"]["origin"] == "default", rows
    assert rows["tick_ms"]["value"] == 200 and "sluice.yaml:" in rows["tick_ms"]["origin"], rows
    line = int(rows["services[0].ttl_s"]["origin"].rsplit(":", 1)[1])
    assert "ttl_s: 20" in daemon.read("catalog.yaml").split("\n")[line - 1]
    only = daemon.ctl("config", "show", "--effective", "--match", "vendors*max_mbps")["values"]
    assert len(only) == 3, only
    gamma = rows["services[0].vendors[2].weight"]
    assert gamma["value"] == 0.5 and "dear" in gamma["origin"], gamma
    daemon.ctl("vendor", "weight", "gamma", "off")
    good = daemon.read("catalog.yaml")
    daemon.write("new.yaml", good.replace("max_mbps: 9000000", "max_mbps: 8000000"))
    daemon.write("bad.yaml", good.replace("max_mbps: 9000000", "max_mbps: lots"))
    new, bad = daemon.dir + "/new.yaml", daemon.dir + "/bad.yaml"
    told = daemon.ctl("config", "diff", new)
    assert not told["same"] and [r["text"].strip() for r in told["lines"]] == [
        "max_mbps: 9000000", "max_mbps: 8000000"], told
    code, error = daemon.ctl("config", "apply", bad, ok=False)
    assert code == 1 and "catalog.yaml:" in error, error
    assert daemon.read("catalog.yaml") == good
    told = daemon.ctl("config", "apply", new, "--dry-run")
    assert told["dry_run"] and told["impact"][0]["moves_percent"] < 5, told["impact"][0]
    daemon.write("less.yaml", good.replace("max_mbps: 14000000", "max_mbps: 1").replace(
        "guaranteed_mbps: 8000000", "guaranteed_mbps: 1"))
    less = daemon.dir + "/less.yaml"
    told = daemon.ctl("config", "apply", less, "--dry-run")
    assert told["impact"][0]["alpha_percent"].endswith("-> 0.0") or told["impact"][0]["moves_percent"] > 33, told
    code, error = daemon.ctl("config", "apply", less, ok=False)
    assert code == 1 and "--confirm config" in error, error
    assert daemon.read("catalog.yaml") == good
    daemon.ctl("config", "apply", new, "--why", "contract")
    wait_for("the new maximum", lambda: daemon.ctl("vendor", "show", "gamma")["vendors"][0]["max_mbps"] == 8000000)
    row = daemon.ctl("history")["changes"][0]
    assert (row["command"], row["why"]) == ("config apply", "contract"), row
    daemon.ctl("rollback")
    assert daemon.read("catalog.yaml") == good
    assert "max_mbps" in human("config", "show").stdout


def switches_reports_and_views():
    daemon.ctl("switch", "set", "plans", "off")
    assert [r["state"] for r in daemon.ctl("switch", "list")["switches"] if r["name"] == "plans"] == ["off"]
    daemon.ctl("switch", "set", "plans", "on")
    assert daemon.ctl("switch", "set", "everything", "off", ok=False)[0] == 1
    assert daemon.ctl("log-level", "warn")["level"] == "warn"
    assert daemon.ctl("log-level", "loud", ok=False)[0] == 1
    daemon.ctl("log-level", "info")
    told = daemon.ctl("export")
    assert any(r["command"] == "vendor drain" for r in told["actions"]), told
    assert {r["vendor"] for r in told["traffic"]} == {"alpha", "beta", "gamma"}, told
    assert human("export").stdout.startswith("# Event from")
    for times in (["--from", "20", "--to", "10"], ["--to", "1e20"]):
        assert "the first not after the second" in daemon.ctl("export", *times, ok=False)[1], times
    assert human("export", "--to", "1000000000").stdout.startswith("# Event from 2001-09-08")
    assert human("top", "--count", "2", "--interval", "10ms").stdout.count("version") == 2
    assert "alpha" in human("status").stdout and "\033" not in human("status").stdout
    assert human("names", "vendors").stdout.split() == ["alpha", "beta", "gamma"]
    assert human("nothing").returncode == 2 and human("--url", "http://127.0.0.1:1", "status").returncode == 3


def plan(name):
    return next(p for p in daemon.ctl("plan", "list")["plans"] if p["plan"] == name)


def add_plan(name, **definition):
    daemon.write(name + ".json", json.dumps(definition))
    return daemon.ctl("plan", "add", name, daemon.dir + "/" + name + ".json")


def a_plan_goes_in_two_steps_and_is_reverted():
    code, error = daemon.ctl("plan", "fire", "blacklist", "--confirm", "blacklist", ok=False)
    assert code == 1 and "arm blacklist first" in error, error
    assert daemon.ctl("plan", "arm", "blacklist", ok=False)[0] == 1  # which vendor?
    told = daemon.ctl("plan", "arm", "blacklist", "--vendor", "gamma", "--groups", "CN/GD")
    assert told["moves_percent_at_most"] > 1, told
    assert daemon.ctl("rules")["rules"] == []
    assert daemon.ctl("plan", "fire", "blacklist", ok=False)[0] == 1
    daemon.ctl("plan", "fire", "blacklist", "--confirm", "blacklist")
    rows = daemon.ctl("rules")["rules"]
    assert [(r["rule"], r["vendor"], r["groups"]) for r in rows] == [("blacklist", "gamma", "CN/GD")], rows
    assert plan("blacklist")["state"] == "fired"
    daemon.ctl("vendor", "weight", "beta", "0.9")  # somebody else's, afterwards
    daemon.ctl("plan", "revert", "blacklist")
    assert [r["rule"] for r in daemon.ctl("rules")["rules"]] == ["weight"]
    daemon.ctl("vendor", "weight", "beta", "off")
    daemon.ctl("blacklist", "add", "gamma", "--groups", "CN/GD", "--for", "10m")  # the plan stands over it
    daemon.ctl("plan", "arm", "blacklist", "--vendor", "gamma", "--groups", "CN/GD")
    daemon.ctl("plan", "fire", "blacklist", "--confirm", "blacklist")
    assert [r["rule"] for r in daemon.ctl("rules")["rules"]] == ["blacklist", "ends"]
    daemon.ctl("plan", "revert", "blacklist")
    assert [(r["rule"], r["left_s"] > 500) for r in daemon.ctl("rules")["rules"]] == [("blacklist", True)]
    daemon.ctl("blacklist", "remove", "gamma")
    daemon.ctl("plan", "arm", "guaranteed-only")
    daemon.ctl("plan", "fire", "guaranteed-only", "--confirm", "guaranteed-only")
    caps = {r["vendor"]: r["value"] for r in daemon.ctl("rules")["rules"]}
    assert caps == {"alpha": 8000000, "beta": 6000000, "gamma": 3000000}, caps
    daemon.ctl("plan", "revert", "guaranteed-only")
    assert daemon.ctl("rules")["rules"] == []


def a_drill_touches_the_test_service_alone():
    daemon.tick()
    before = share("gamma", "live")
    told = daemon.ctl("drill", "run", "blacklist", "--vendor", "gamma")
    assert told["applied_to"] == "drill" and told["would_do"][0]["impact"], told
    wait_for("the drill to show", lambda: share("gamma", "drill") == 0)
    assert abs(share("gamma", "live") - before) < 1, before
    daemon.ctl("blacklist", "remove", "gamma")
    daemon.ctl("drill", "inject", "vendor-failing", "--vendor", "alpha", "--for", "5s")
    wait_for("the fault", lambda: share("alpha", "drill") == 0)
    wait_for("its end", lambda: share("alpha", "drill") > 0)
    daemon.ctl("drill", "inject", "meter-silent", "--vendor", "beta", "--for", "5s")
    code, error = daemon.ctl("meter", "push", "beta", "1", ok=False)
    assert code == 1 and "drill" in error, error
    daemon.ctl("drill", "inject", "store-cut", "--for", "5s")
    code, error = daemon.ctl("vendor", "weight", "beta", "0.9", ok=False)
    assert code == 1 and "cut by a drill" in error, error
    wait_for("the store to be back", lambda: daemon.ctl("vendor", "weight", "beta", "off", ok=False)[1].count("no such"))


def a_plan_fires_by_itself_one_is_vetoed_one_is_blind():
    when = {"metric": "sluice_vendor_current_mbps", "over": "sluice_vendor_max_mbps",
            "labels": 'vendor="beta"', "above": 0.5}
    action = [{"command": "vendor weight", "args": {"vendor": "$vendor", "weight": "0.9"}}]
    add_plan("night-auto", mode="automatic", when=when, hold_s=1, announce_s=1, do=action)
    add_plan("night-veto", mode="automatic", when=when, hold_s=1, announce_s=4, do=action)
    add_plan("night-blind", mode="automatic", when=when, do=action,
             fresh={"metric": "sluice_vendor_meter_age_seconds", "max": -1})
    add_plan("night-guard", mode="automatic", when=when, max_moves_percent=0.001,
             do=[{"command": "vendor drain", "args": {"vendor": "alpha"}}])
    daemon.write("broken.json", '{"mode":"automatic","do":[{"command":"status","args":{}}]}')
    assert daemon.ctl("plan", "add", "broken", daemon.dir + "/broken.json", ok=False)[0] == 1
    daemon.ctl("meter", "push", "beta", "12000000")
    wait_for("the announcement", lambda: plan("night-veto")["state"] == "announced")
    daemon.ctl("plan", "veto", "night-veto")
    wait_for("a plan to fire by itself", lambda: plan("night-auto")["state"] == "fired")
    change = next(r for r in daemon.ctl("history")["changes"] if r["command"] == "vendor weight")
    assert (change["who"], change["why"]) == ("plan:night-auto", "plan night-auto"), change
    wait_for("the guard", lambda: plan("night-guard")["state"] == "guarded")
    assert plan("night-blind")["state"] == "blind" and plan("night-veto")["state"] == "vetoed"
    assert [(r["rule"], r["vendor"]) for r in daemon.ctl("rules")["rules"]] == [("weight", "beta")]
    daemon.ctl("plan", "revert", "night-auto")
    for name in ("night-auto", "night-veto", "night-blind", "night-guard"):
        daemon.ctl("plan", "remove", name)
    assert daemon.ctl("rules")["rules"] == []


def an_alert_fires_once_is_silenced_and_ends():
    def alert(name):
        return [a["state"] for a in daemon.ctl("alert", "list")["alerts"] if a["alert"] == name]
    for vendor, most in (("alpha", 14), ("beta", 16), ("gamma", 9)):
        daemon.ctl("meter", "push", vendor, str(most * 1000000))
    wait_for("refusing to fire", lambda: "firing" in alert("refusing"))
    assert daemon.log().count("alert.firing alert=refusing") == len(alert("refusing")), daemon.log()
    daemon.ctl("alert", "silence", "refusing", "--for", "1h", "--why", "a test")
    assert set(alert("refusing")) == {"silent"}
    assert daemon.ctl("alert", "silence", "nothing", "--for", "1h", ok=False)[0] == 1
    time.sleep(0.01)  # a meter's window must end later than the last one
    for vendor in ("alpha", "beta", "gamma"):
        daemon.ctl("meter", "push", vendor, "1000")
    wait_for("its end", lambda: alert("refusing") == [])


def control_dead_and_a_rollback_all_the_same():
    daemon.tick()
    before = share("alpha")
    wait_for("a world of before to be kept", lambda: len(os.listdir(daemon.state + "/history")) > 1)
    daemon.tick()
    daemon.ctl("vendor", "evacuate", "alpha", "--confirm", "alpha", "--why", "a mistake")
    wait_for("the evacuation", lambda: share("alpha") == 0)
    offline = [os.path.join(BUILD, "sluicectl"), "rollback", "--offline", "--state", daemon.state]
    alive = subprocess.run(offline, capture_output=True, text=True, timeout=60, check=False)
    assert alive.returncode == 1 and "answers" in alive.stderr, alive
    pid = daemon.pids()["control"]
    os.kill(daemon.process.pid, signal.SIGSTOP)  # the supervisor, so that it stays dead
    os.kill(pid, signal.SIGKILL)
    try:
        wait_for("control to be dead, and the rollback", lambda: subprocess.run(
            offline, capture_output=True, text=True, timeout=60, check=False).returncode == 0)
        wait_for("answers from the old shares", lambda: any(
            daemon.resolve(ip="202.96.128.86", client="o%d" % i)["answers"][0]["vendor"] == "alpha"
            for i in range(20)))
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    wait_for("control to be back", lambda: daemon.pids().get("control") not in (None, pid)
             and daemon.probe(daemon.admin))
    assert daemon.ctl("rules")["rules"] == []
    assert daemon.ctl("history")["changes"][0]["from"] == "offline"
    wait_for("the share of before", lambda: abs(share("alpha") - before) < 5)


with daemon:
    run([dry_run_says_who_moves_and_changes_nothing, a_grave_change_wants_its_name,
         drain_by_ramp_watch_and_roll_back, a_change_ends_by_itself, weights_caps_and_restrictions,
         what_is_mistyped_is_told, a_retry_is_harmless_and_a_stale_plan_is_refused, tokens_have_roles_scopes_and_an_end,
         bad_requests_are_refused, the_audit_log_is_proved_and_tampering_found,
         kill_9_loses_no_acknowledged_change, a_locked_store_refuses_and_scheduling_goes_on,
         rollback_brings_the_catalogue_back, catalogues_are_kept_by_the_thousand,
         configuration_is_shown_compared_and_applied,
         switches_reports_and_views, a_plan_goes_in_two_steps_and_is_reverted,
         a_drill_touches_the_test_service_alone, a_plan_fires_by_itself_one_is_vetoed_one_is_blind,
         an_alert_fires_once_is_silenced_and_ends,
         control_dead_and_a_rollback_all_the_same,
         a_corrupt_store_is_rebuilt, a_lost_store_is_rebuilt])
