#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every ready-made plan armed, fired, seen and reverted; plans over a restart; drills with each of
their faults; switches, log levels, and what two worlds have different."""
import json
import os
import subprocess

from sluice import BUILD, TOP, Sluice, demo_with_ingests, run, wait_for

catalog = demo_with_ingests("""nodes:
  - {name: gd-1, vendor: gamma, group: CN/GD/telecom, capacity_mbps: 30000, a: [203.0.113.101]}
  - {name: gx-1, vendor: gamma, group: CN/GX/telecom, capacity_mbps: 10000, a: [203.0.113.102]}
streams:
  - {name: stage, service: live, vendors: [alpha, beta], encrypted: true}
""")
daemon = Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": catalog.encode()})
GD = "202.96.128.86"


def share(vendor, service="live"):
    rows = daemon.ctl("vendor", "show", vendor)["services"]
    return next(r["share_percent"] for r in rows if r["service"] == service)


def plan(name):
    return next(p for p in daemon.ctl("plan", "list")["plans"] if p["plan"] == name)


def rules():
    return [(r["rule"], r.get("vendor", r.get("node")), r.get("groups")) for r in daemon.ctl("rules")["rules"]]


def fire(name, *options):
    """Arms, fires; returns what arming said."""
    told = daemon.ctl("plan", "arm", name, *options)
    assert all("impact" in a for a in told["actions"]), told
    assert rules() == [], told
    daemon.ctl("plan", "fire", name, "--confirm", name)
    assert plan(name)["state"] == "fired", plan(name)
    return told


def revert(name):
    daemon.ctl("plan", "revert", name, "--confirm", name)
    assert plan(name)["state"] == "idle", plan(name)
    assert rules() == []


def every_plan_says_what_it_is_for():
    plans = daemon.ctl("plan", "list")["plans"]
    assert len(plans) == 10, plans
    for p in plans:
        assert p["what"] and p["runbook"].startswith("docs/plans.md#"), p
        with open(os.path.join(TOP, "docs/plans.md"), encoding="utf-8") as doc:
            assert "### " + p["plan"] + "\n" in doc.read(), p
        assert daemon.ctl("plan", "show", p["plan"])["definition"]["do"], p


def blacklist_of_a_region_and_isp():
    fire("blacklist", "--vendor", "gamma", "--groups", "CN/GD/telecom")
    assert rules() == [("blacklist", "gamma", "CN/GD/telecom")]
    assert 1700 < daemon.ctl("rules")["rules"][0]["left_s"] <= 1800  # its expiry
    revert("blacklist")


def evacuation_of_a_vendor_and_of_a_site():
    fire("evacuate", "--vendor", "alpha", "--groups", "CN/GD")
    assert rules() == [("evacuate", "alpha", "CN/GD")]
    revert("evacuate")
    told = fire("evacuate-site", "--node", "gd-*")
    assert told["moves_percent_at_most"] > 1, told
    wait_for("the site to be empty", lambda: daemon.ctl("node", "show", "gd-1")["nodes"][0]["state"] == "drained")
    assert daemon.ctl("node", "show", "gx-1")["nodes"][0]["state"] == "up"
    revert("evacuate-site")
    wait_for("the site to be back", lambda: daemon.ctl("node", "show", "gd-1")["nodes"][0]["state"] == "up")


def points(stream):
    status, body = daemon.get("/v1/publish?host=live.sluice.example&stream=" + stream)
    assert status == 200, body
    return body["primary"]["name"], body["backup"]["name"]


def main_and_backup_change_places():
    main, backup = points("stage")
    fire("switch-ingest", "--stream", "stage", "--service", "live")
    wait_for("the switch", lambda: points("stage") == (backup, main))
    revert("switch-ingest")
    wait_for("the way back", lambda: points("stage") == (main, backup))


def encryption_is_stopped():
    def encrypted():
        return daemon.ctl("stream", "list", "stage")["streams"][0]["encrypted"]
    assert encrypted()
    fire("stop-encryption", "--service", "live")
    assert not encrypted()
    revert("stop-encryption")
    assert encrypted()


def a_vendor_is_capped():
    fire("cap", "--vendor", "beta", "--value", "1000000")
    wait_for("the cap", lambda: daemon.ctl("vendor", "show", "beta")["vendors"][0]["max_mbps"] == 1000000)
    revert("cap")
    wait_for("no cap", lambda: daemon.ctl("vendor", "show", "beta")["vendors"][0]["max_mbps"] == 16000000)


def lower_definitions():
    fire("lower-definitions", "--value", "100", "--service", "live")
    wait_for("a lower definition", lambda: "degrade" in daemon.resolve(ip=GD, client="a"))
    revert("lower-definitions")
    wait_for("the full one", lambda: "degrade" not in daemon.resolve(ip=GD, client="a"))


def guaranteed_only():
    fire("guaranteed-only")
    caps = {r["vendor"]: r["value"] for r in daemon.ctl("rules")["rules"]}
    assert caps == {"alpha": 8000000, "beta": 6000000, "gamma": 3000000}, caps
    revert("guaranteed-only")


def static_ratios():
    for vendor, mbps in (("alpha", 9000000), ("beta", 1000000), ("gamma", 500000)):
        daemon.ctl("meter", "push", vendor, str(mbps))
    wait_for("alpha over its guarantee", lambda: share("alpha") < 5)
    fire("static-ratios")
    wait_for("the ratio of the guarantees", lambda: abs(share("alpha") - 100 * 8 / 17) < 0.2)
    revert("static-ratios")
    wait_for("the meters to count again", lambda: share("alpha") < 5)


def a_full_vendor_is_suggested_and_old_data_fires_nothing():
    daemon.write("full.yaml", """text: drains a vendor that is about to be full
mode: suggest
when: {metric: sluice_vendor_forecast_mbps, over: sluice_vendor_max_mbps, above: 0.5}
fresh: {metric: sluice_vendor_meter_age_seconds, max: 300}
do: [{command: vendor drain, args: {vendor: $vendor}}]
for: 10m
""")
    daemon.ctl("plan", "add", "full-vendor", daemon.dir + "/full.yaml")
    assert len([p for p in daemon.ctl("plan", "list")["plans"] if p["plan"] == "full-vendor"]) == 1
    wait_for("the suggestion", lambda: plan("full-vendor")["state"] == "suggested")
    assert rules() == []
    old = daemon.read("full.yaml").replace("max: 300", "max: -1")
    daemon.write("full.yaml", old)
    daemon.ctl("plan", "add", "full-vendor", daemon.dir + "/full.yaml")
    code, error = daemon.ctl("plan", "fire", "full-vendor", "--confirm", "full-vendor", ok=False)
    assert code == 1 and ("old data" in error or "arm full-vendor" in error), error
    wait_for("the plan to be blind", lambda: plan("full-vendor")["state"] == "blind")
    daemon.ctl("plan", "arm", "full-vendor", "--vendor", "alpha")
    code, error = daemon.ctl("plan", "fire", "full-vendor", "--confirm", "full-vendor", ok=False)
    assert code == 1 and "old data" in error, error
    assert rules() == []
    daemon.ctl("plan", "remove", "full-vendor")
    assert "hold_s" in daemon.ctl("plan", "show", "full-vendor")["definition"]  # the shipped one again


def a_plan_of_yaml_is_checked():
    for text in ("mode: manual", "mode: manual\ndo: [{command: status, args: {}}]",
                 "mode: manual\ndo: [{command: vendor drain, args: {colour: red}}]", "a: &b 1", "{"):
        daemon.write("bad.yaml", text)
        code, error = daemon.ctl("plan", "add", "bad", daemon.dir + "/bad.yaml", ok=False)
        assert code == 1 and error, text


def fired_and_vetoed_plans_are_known_after_kill_9():
    fire("cap", "--vendor", "beta", "--value", "1000000")
    daemon.ctl("plan", "veto", "evacuate")
    daemon.kill("control")
    wait_for("control to be back", lambda: daemon.probe(daemon.admin))
    assert plan("cap")["state"] == "fired" and plan("evacuate")["state"] == "vetoed"
    revert("cap")


def a_plan_that_fires_by_itself_ends_and_may_fire_again():
    definition = {"mode": "automatic", "announce_s": 0, "for": "1s",
                  "when": {"metric": "sluice_vendor_current_mbps", "labels": 'vendor="alpha"', "above": 1},
                  "do": [{"command": "vendor weight", "args": {"vendor": "beta", "weight": 0.9}}]}
    daemon.write("again.json", json.dumps(definition))
    daemon.ctl("plan", "add", "again", daemon.dir + "/again.json")

    def fired():
        return [r for r in daemon.ctl("history", "--limit", "100")["changes"] if r["who"] == "plan:again"
                and r["command"] == "vendor weight"]
    wait_for("it to fire", fired)
    wait_for("it to fire again", lambda: len(fired()) > 1)
    daemon.ctl("switch", "set", "plans", "off")
    daemon.ctl("plan", "remove", "again")
    wait_for("its last end", lambda: rules() == [])
    daemon.ctl("switch", "set", "plans", "on")


def drills_of_every_plan_touch_the_test_service_alone():
    def of_live():
        return [r for r in daemon.ctl("rules")["rules"] if r["service"] != "drill"]
    params = {"cap": ("--vendor", "beta", "--value", "5"), "evacuate-site": ("--node", "gd-1"),
              "switch-ingest": ("--stream", "stage", "--service", "live"),
              "stop-encryption": ("--service", "live"), "blacklist": ("--vendor", "gamma"),
              "evacuate": ("--vendor", "gamma"), "full-vendor": ("--vendor", "gamma")}
    for p in daemon.ctl("plan", "list")["plans"]:
        told = daemon.ctl("drill", "run", p["plan"], *params.get(p["plan"], ()))
        assert told["applied_to"] == "drill" and told["would_do"], told
        assert all("impact" in a for a in told["would_do"]), told
        assert of_live() == [], (p, of_live())
    assert daemon.ctl("stream", "list", "stage")["streams"][0]["encrypted"]
    for r in daemon.ctl("rules")["rules"]:
        assert r["left_s"] <= 60, r
    daemon.ctl("rollback", "0", "--confirm", "rollback")
    assert rules() == []


def report(vendor, n, ok):
    rows = [{"session": "%s-%d" % (vendor, i), "stream": "a", "vendor": vendor, "ok": ok,
             "first_frame_ms": 300, "ip": GD} for i in range(n)]
    body = json.dumps({"reports": rows})
    done = subprocess.run(["curl", "-s", "-d", body, "http://127.0.0.1:%d/v1/qos" % daemon.reports],
                          capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def facts_age():
    return daemon.ctl("status").get("facts_age_s", 99)


def the_four_faults_of_a_drill():
    daemon.ctl("drill", "inject", "vendor-failing", "--vendor", "alpha", "--groups", "CN/GD", "--for", "5s")
    wait_for("the fault on the test service", lambda: [
        r["service"] for r in daemon.ctl("rules")["rules"]] == ["drill"])
    wait_for("its end", lambda: rules() == [])
    daemon.ctl("drill", "inject", "meter-silent", "--vendor", "beta", "--for", "5s")
    code, error = daemon.ctl("meter", "push", "beta", "1", ok=False)
    assert code == 1 and "drill" in error, error
    wait_for("the meter again", lambda: daemon.ctl("meter", "push", "beta", "1000", ok=False)[0] == 0)
    report("alpha", 5, True)
    wait_for("facts", lambda: facts_age() < 1.5)
    daemon.ctl("drill", "inject", "collect-stopped", "--for", "8s")
    wait_for("facts to grow old", lambda: facts_age() > 2)
    wait_for("facts again", lambda: facts_age() < 1.5)
    daemon.ctl("drill", "inject", "store-cut", "--for", "5s")
    code, error = daemon.ctl("vendor", "weight", "beta", "0.9", ok=False)
    assert code == 1 and "cut by a drill" in error, error
    wait_for("the store", lambda: daemon.ctl("vendor", "weight", "beta", "off", ok=False)[1].count("no such"))
    assert daemon.ctl("drill", "inject", "rain", ok=False)[0] == 1


def every_automatic_feature_has_a_switch():
    names = [r["name"] for r in daemon.ctl("switch", "list")["switches"]]
    assert names == ["plans", "alerts", "blacklist", "quality", "forecast", "geo", "meters", "probes",
                     "hot", "harvest"], names
    for name in names:
        daemon.ctl("switch", "set", name, "off", "--why", "a test", "--confirm", name)
        assert {r["name"]: r["state"] for r in daemon.ctl("switch", "list")["switches"]}[name] == "off"
        daemon.ctl("switch", "set", name, "on", "--confirm", name)


def without_forecast_a_meter_counts_as_it_is():
    for vendor in ("alpha", "beta", "gamma"):
        daemon.ctl("meter", "push", vendor, "1000")
    for i in range(400):
        daemon.resolve(ip=GD, client="forecast-%d" % i)

    def room():
        return daemon.ctl("vendor", "show", "alpha")["vendors"][0]

    def ahead():
        row = room()
        return row["forecast_mbps"] > row["current_mbps"] + 200 and row
    wait_for("what was dispatched since", ahead)
    daemon.ctl("switch", "set", "forecast", "off", "--why", "a test", "--confirm", "forecast")
    wait_for("the meter alone", lambda: (lambda r: r["forecast_mbps"] == r["current_mbps"])(room()))
    wait_for("what is expected to follow", lambda: room()["expected_mbps"] < 1100)
    daemon.ctl("switch", "set", "forecast", "on", "--confirm", "forecast")
    wait_for("the forecast again", ahead)


def every_process_takes_a_log_level():
    daemon.ctl("log-level", "debug", "--role", "answer")
    wait_for("answer's level", lambda: "info answer log.level level=3" in daemon.log())
    daemon.ctl("log-level", "error")
    wait_for("silence", lambda: os.path.exists(daemon.state + "/log-level.collect"))
    assert daemon.ctl("log-level", "info", "--role", "nobody", ok=False)[0] == 1
    daemon.ctl("log-level", "info")


def two_worlds_are_compared():
    daemon.tick()
    folders = os.listdir(daemon.state + "/history")
    before = max(int(n) for n in folders if n.isdigit())
    daemon.ctl("vendor", "drain", "alpha", "--confirm", "alpha")
    wait_for("the drain", lambda: share("alpha") == 0)
    daemon.ctl("stream", "add", "new-room", "--service", "live", "--vendors", "alpha")
    wait_for("the room", lambda: daemon.get("/v1/resolve?host=live.sluice.example&stream=new-room&ip=1.1.1.1")[0] == 503)
    told = subprocess.run([os.path.join(BUILD, "sluicectl"), "--json", "world", "diff",
                           "%s/history/%d" % (daemon.state, before), daemon.state + "/world"],
                          capture_output=True, text=True, timeout=60, check=True)
    rows = json.loads(told.stdout)["differences"]
    alpha = [r for r in rows if r["what"] == "share_percent" and r["name"] == "live CN/GD/telecom alpha"]
    assert alpha and alpha[0]["to"] == 0 and alpha[0]["from"] > 0, rows[:5]
    assert [r["name"] for r in rows if r["what"] == "stream new"] == ["new-room"], rows
    none = subprocess.run([os.path.join(BUILD, "sluicectl"), "world", "diff", daemon.state + "/world",
                           daemon.dir], capture_output=True, text=True, timeout=60, check=False)
    assert none.returncode == 1 and none.stderr, none
    daemon.ctl("vendor", "resume", "alpha", "--confirm", "alpha")
    daemon.ctl("stream", "remove", "new-room", "--service", "live")


with daemon:
    run([every_plan_says_what_it_is_for, blacklist_of_a_region_and_isp,
         evacuation_of_a_vendor_and_of_a_site, main_and_backup_change_places, encryption_is_stopped,
         a_vendor_is_capped, lower_definitions, guaranteed_only, static_ratios,
         a_full_vendor_is_suggested_and_old_data_fires_nothing, a_plan_of_yaml_is_checked,
         fired_and_vetoed_plans_are_known_after_kill_9,
         a_plan_that_fires_by_itself_ends_and_may_fire_again,
         drills_of_every_plan_touch_the_test_service_alone, the_four_faults_of_a_drill,
         every_automatic_feature_has_a_switch, without_forecast_a_meter_counts_as_it_is, every_process_takes_a_log_level,
         two_worlds_are_compared])
