#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every command that changes traffic can be tried, ramped, ended by itself and wants to be confirmed:
walked over the table of commands; and what that means for a catalogue, a rollback and a plan."""
import http.client
import json
import os
import re
import time

from sluice import TOP, Sluice, run, wait_for

with open(os.path.join(TOP, "conf/examples/demo/catalog.yaml"), encoding="utf-8") as f:
    demo = f.read()
catalog = demo.replace("    explain: true\n", """    explain: true
    ingest:
      - {name: north, unit: u1, url: "rtmp://north.example/live/{stream}"}
      - {name: south, unit: u2, url: "rtmp://south.example/live/{stream}"}
""", 1) + """nodes:
  - {name: gd-1, vendor: gamma, group: CN/GD/telecom, capacity_mbps: 30000, a: [203.0.113.101]}
  - {name: gd-2, vendor: gamma, group: CN/GD/telecom, capacity_mbps: 10000, a: [203.0.113.102]}
streams:
  - {name: file-room, service: live, vendors: [alpha, beta], encrypted: true}
"""
daemon = Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": catalog.encode()})
LIVE = ("--service", "live")
GD, BJ = "202.96.128.86", "58.128.3.7"


def ctl(*words, **options):
    return daemon.ctl(*words, **options)


def vendors(pattern="*"):
    return {r["vendor"]: r for r in ctl("vendor", "show", pattern)["vendors"]}


def share(vendor, service="live"):
    rows = ctl("vendor", "show", vendor, ok=False)
    if rows[0]:
        return 0
    return sum(r["share_percent"] for r in ctl("vendor", "show", vendor)["services"]
               if r["service"] == service)


def last_change():
    return ctl("history", "--limit", "1")["changes"][0]["change"]


def write(name, text):
    daemon.write(name, text)
    return os.path.join(daemon.dir, name)


# How each command of the table that changes traffic is called, and the word that confirms it.
CALLS = {
    "vendor weight": (("gamma", "0.9"), "gamma"), "vendor drain": (("gamma",), "gamma"),
    "vendor evacuate": (("gamma",), "gamma"), "vendor resume": (("alpha",), "alpha"),
    "vendor cap": (("gamma", "8000000"), "gamma"), "node drain": (("gd-1",), "gd-1"),
    "node resume": (("gd-2",), "gd-2"), "service lower": (("10",), "service"),
    "service static": (("on",), "service"), "stream add": (("r2", *LIVE), "live"),
    "stream remove": (("file-room", *LIVE), "live"), "stream vendors": (("r1", "alpha", *LIVE), "live"),
    "stream encrypt": (("file-room", "off", *LIVE), "live"),
    "stream ingest": (("file-room", "north", *LIVE), "live"),
    "blacklist add": (("gamma", "--groups", "CN/GX"), "gamma"), "blacklist remove": (("beta",), "beta"),
    "restrict add": (("gamma", "--groups", "CN/GD"), "gamma"), "restrict remove": (("beta",), "beta"),
    "restrict deny": (("10.0.0.0/8",), "restrict"), "restrict allow": (("10.1.0.0/16",), "restrict"),
    "rollback": ((), "rollback"), "config apply": (("FILE",), "config"), "reload": ((), "reload"),
    "plan fire": (("blacklist",), "blacklist"), "plan revert": (("cap",), "cap")}

# Every other one that writes, and why it does not move viewers by itself.
OTHERS = {
    "meter push": "a measurement", "token add": "rights", "token remove": "rights", "log-level": "words",
    "plan add": "a definition", "plan remove": "a definition", "plan arm": "the dry run of plan fire",
    "plan veto": "stops a plan", "drill run": "the test service only",
    "drill inject": "the test service only", "alert silence": "words",
    "switch set": "a feature, not a rule: tests/func/ops_switch.py"}


def table():
    with open(os.path.join(TOP, "src/ctl/commands.def"), encoding="utf-8") as rows:
        found = re.findall(r'^COMMAND\(\w+, "([\w-]+)", "([\w-]*)", (\w+), "[^"]*", \w+, ([01]),', rows.read(), re.M)
    return {" ".join(filter(None, r[:2])): (r[2], r[3] == "1") for r in found}


def prepare():
    """Something for the commands that take something away."""
    ctl("vendor", "drain", "alpha", "--groups", "CN/GX", "--confirm", "alpha")
    ctl("node", "drain", "gd-2", "--confirm", "gd-2")
    ctl("blacklist", "add", "beta", "--groups", "CN/GX", "--confirm", "beta")
    ctl("restrict", "add", "beta", "--groups", "CN/GX", "--confirm", "beta")
    ctl("plan", "arm", "cap", "--vendor", "gamma", "--value", "8500000")
    ctl("plan", "fire", "cap", "--confirm", "cap")
    ctl("stream", "add", "r1", *LIVE)
    ctl("plan", "arm", "blacklist", "--vendor", "gamma", "--groups", "CN/GX")


def words_of(command):
    args, confirm = CALLS[command]
    path = write("catalog.yaml" if command == "reload" else "next.yaml",
                 catalog.replace("max_mbps: 9000000", "max_mbps: 8800000"))
    return [*command.split(), *(path if a == "FILE" else a for a in args)], confirm


def every_writing_command_is_told_apart():
    rows = table()
    assert {c for c, (m, traffic) in rows.items() if traffic} == set(CALLS)
    assert {c for c, (m, traffic) in rows.items() if m == "POST" and not traffic} == set(OTHERS)


def dry_run_says_who_moves_and_changes_nothing():
    before = last_change()
    for command in CALLS:
        words, confirm = words_of(command)
        for span in (("--for", "30m"), ("--ramp", "5m")):
            told = ctl(*words, "--dry-run", *span, "--why", "a trial", "--id", "trial-" + command,
                       "--generation", "9.9")
            rows = told["impact"] if "impact" in told else told["actions"][0]["impact"]
            assert "moves_percent" in rows[0] and rows[0]["region"] == "all", (command, told)
            assert any(r["region"] == "CN/GD" for r in rows) or "sessions" in rows[0], (command, rows[:3])
            assert told.get("dry_run") and "change" not in told, (command, told)
    assert last_change() == before


def rules():
    return ctl("rules")["rules"]


def each_takes_effect_little_by_little():
    """With --ramp something of the change is under way, and it ends by a rollback."""
    for command in CALLS:
        words, confirm = words_of(command)
        before = last_change()
        ctl(*words, "--ramp", "5m", "--why", "ramp of " + command, "--confirm", confirm)
        row = ctl("history", "--limit", "1")["changes"][0]
        assert row["change"] > before, command
        if command in ("plan fire", "plan revert"):
            row["why"] = "ramp of " + command  # its commands have it
        if command.startswith("stream"):
            items = ctl("diff", str(before))["items"]
            assert all('"ramp_ms":300000' in i["after"] for i in items), (command, items)
        elif command not in ("reload", "rollback"):
            assert any(r.get("ramp_percent", 100) < 50 and time.time() - r["since"] < 60 or
                       r.get("ramp_percent", 0) > 50 and r.get("left_s", 0) > 200
                       for r in rules()), (command, rules())
        assert row["why"] == "ramp of " + command, (command, row)
        ctl("rollback", str(before), "--confirm", "rollback")


def each_ends_by_itself():
    for command in CALLS:
        before = last_change()
        state = key_state()
        words, confirm = words_of(command)
        ctl(*words, "--for", "300ms", "--why", "end of " + command, "--confirm", confirm)
        assert last_change() > before, command
        wait_for("the end of " + command, lambda state=state: key_state() == state)
        if not command.endswith(("resume", "remove")) or command == "stream remove":  # others have slept
            wait_for("the history to show the end of %s: %s" % (command, ctl("history", "--limit", "3")["changes"]),
                     lambda: ctl("history", "--limit", "1")["changes"][0]["who"] == "expiry")
        ctl("plan", "arm", "blacklist", "--vendor", "gamma", "--groups", "CN/GX")


def key_state():
    """What operators decided, as far as the commands of the table change it."""
    steady = [tuple(sorted((k, str(v)) for k, v in r.items()
                           if k in ("rule", "vendor", "node", "service", "groups", "prefix", "value")))
              for r in rules() if "begins_in_s" not in r]
    asleep = [r for r in rules() if "begins_in_s" in r]
    streams = sorted((s["stream"], s["vendors"], s["encrypted"], s["ingest"])
                     for s in ctl("stream", "list")["streams"])
    return sorted(steady), len(asleep), streams, daemon.read("catalog.yaml")


def grave_ones_want_to_be_confirmed():
    ctl("rollback", "1", "--confirm", "rollback")
    daemon.tick()
    small = write("small.yaml", demo.replace("guaranteed_mbps: 8000000", "guaranteed_mbps: 1").replace(
        "max_mbps: 14000000", "max_mbps: 1"))
    ctl("vendor", "drain", "alpha", "--confirm", "alpha")
    daemon.tick()
    grave = {"vendor drain": ("beta",), "vendor evacuate": ("beta",), "vendor weight": ("beta", "0"),
             "vendor cap": ("beta", "1"), "blacklist add": ("beta",), "vendor resume": ("alpha",),
             "restrict add": ("beta", "--groups", "CN"), "restrict deny": ("0.0.0.0/0",),
             "config apply": (small,), "rollback": ()}
    for command, args in grave.items():
        if command == "config apply":
            ctl("vendor", "resume", "alpha", "--confirm", "alpha")
            daemon.tick()
        code, error = ctl(*command.split(), *args, ok=False)
        assert code == 1 and "--confirm " + CALLS[command][1].replace("gamma", args[0] if args else "") in error, \
            (command, code, error)
    ctl("config", "apply", small, "--dry-run")


def a_new_vendor_has_figures_before_it_is_there():
    new = demo.replace("services:\n", """  - name: delta
    guaranteed_mbps: 6000000
    max_mbps: 12000000
    addresses: [{a: [198.18.0.1]}]
    deny_groups: [CN/GX]
services:
""").replace("""        cname: live.gamma.example.
""", """        cname: live.gamma.example.
      - vendor: delta
        cname: live.delta.example.
""")
    told = ctl("config", "apply", write("delta.yaml", new), "--dry-run")
    by_region = {r["region"]: r for r in told["impact"]}
    assert by_region["CN/GD"]["delta_percent"].startswith("0.0 -> "), by_region["CN/GD"]
    promised = float(by_region["CN/GD"]["delta_percent"].split()[-1])
    assert promised > 10, by_region["CN/GD"]
    assert "delta_percent" not in by_region["CN/GX"], by_region["CN/GX"]
    return new, promised


def is_out(vendor):
    """Whether it has no share, or is in the catalogue no more."""
    try:
        return share(vendor) == 0
    except AssertionError as e:
        return "no vendor is called" in str(e)


def a_catalogue_comes_little_by_little():
    new, promised = a_new_vendor_has_figures_before_it_is_there()
    new = new.replace("max_mbps: 9000000", "max_mbps: 7000000")
    path = write("delta.yaml", new)
    ctl("config", "apply", path, "--ramp", "24s", "--why", "a fourth vendor", "--confirm", "config")
    assert daemon.read("catalog.yaml") == new
    row = next(r for r in rules() if r["rule"] == "catalogue")
    assert row["why"] == "a fourth vendor" and row["ramp_percent"] < 60, row
    between = wait_for("part of its share", lambda: 0.3 < share("delta") < promised - 3 and share("delta"))
    room = vendors("gamma")["gamma"]["max_mbps"]
    assert 7000000 < room < 9000000, room
    code, error = ctl("config", "apply", path, "--ramp", "5s", ok=False)
    assert code == 1 and "on its way" in error, error
    daemon.kill("control")  # the ramp is kept
    wait_for("control to be back", lambda: daemon.probe(daemon.admin))
    daemon.tick()
    assert share("delta") < promised + 3
    wait_for("all of it", lambda: share("delta") > between and vendors("gamma")["gamma"]["max_mbps"] == 7000000
             and not any(r["rule"] == "catalogue" for r in rules()))
    wait_for("what was promised", lambda: abs(share("delta") - promised) < 5)
    told = ctl("rollback", "--confirm", "rollback")
    assert told["catalogue_restored"], told
    assert not any(r["rule"] == "catalogue" for r in rules()), rules()  # back at once, by no ramp
    wait_for("three vendors again", lambda: is_out("delta"))


def a_catalogue_goes_by_itself():
    was = daemon.read("catalog.yaml")
    new = was.replace("max_mbps: 9000000", "max_mbps: 6000000")
    told = ctl("config", "apply", write("less.yaml", new), "--for", "8s", "--why", "tonight", "--confirm", "config")
    assert told["change"], told
    wait_for("the new maximum", lambda: vendors("gamma")["gamma"]["max_mbps"] == 6000000)
    row = next(r for r in rules() if r["rule"] == "ends")
    assert "config apply: tonight" == row["why"] and row["left_s"] <= 8, row
    wait_for("the old one", lambda: vendors("gamma")["gamma"]["max_mbps"] == 9000000)
    assert daemon.read("catalog.yaml") == was
    assert rules() == [], rules()


def a_catalogue_without_a_service_moves_everybody_of_it():
    less = re.sub(r"  - name: live\n.*?(?=  - name: drill)", "", demo, flags=re.S)
    told = ctl("config", "apply", write("none.yaml", less), "--dry-run")
    assert told["impact"][0]["none_percent"] == "0.0 -> 100.0", told["impact"][0]
    assert told["impact"][0]["moves_percent"] == 100 and told["groups_left_with_none"] > 10, told["impact"][0]
    ctl("config", "apply", write("none.yaml", less), "--confirm", "config")
    wait_for("the service to be gone", lambda: share("alpha") == 0)
    before = ctl("status")["ticks"]
    wait_for("ticks to go on without it", lambda: ctl("status")["ticks"] > before + 3)
    assert ctl("status")["refused_ticks"] == 0
    ctl("rollback", "--confirm", "rollback")
    wait_for("the service again", lambda: share("alpha") > 10)


def a_regional_maximum_is_weighed():
    for v in ("alpha", "beta", "gamma"):
        ctl("meter", "push", v, "1000")
    daemon.tick()
    less = catalog.replace("    max_mbps: 16000000\n", """    max_mbps: 16000000
    regions:
      - {name: south, groups: [CN/GD], guaranteed_mbps: 0, max_mbps: 0}
""", 1)
    told = ctl("config", "apply", write("south.yaml", less), "--dry-run")
    rows = {r["region"]: r for r in told["impact"]}
    assert rows["CN/GD"]["beta_percent"].endswith("-> 0.0"), rows["CN/GD"]
    assert rows["CN/GX"]["moves_percent"] < 10, rows["CN/GX"]


def what_a_change_for_a_time_stands_over_comes_back():
    """A cap of tonight over the cap of always; a drain of half an hour where there was one already."""
    ctl("vendor", "cap", "gamma", "8500000", "--why", "always")
    ctl("vendor", "cap", "gamma", "7000000", "--for", "5s", "--why", "tonight")
    assert next(r for r in rules() if r["rule"] == "ends")["why"] == "vendor cap: tonight", rules()
    wait_for("the cap of always", lambda: [(r["rule"], r.get("value")) for r in rules()] == [("cap", 8500000)])
    ctl("vendor", "cap", "gamma", "7000000", "--for", "1s")
    ctl("vendor", "cap", "gamma", "off")
    time.sleep(1.5)
    ctl("vendor", "cap", "gamma", "6000000")  # a later word stands
    wait_for("the end to be over", lambda: [(r["rule"], r.get("value")) for r in rules()] == [("cap", 6000000)])
    ctl("vendor", "cap", "gamma", "off")


def a_switch_comes_back_by_itself():
    def state(name):
        return next(s["state"] for s in ctl("switch", "list")["switches"] if s["name"] == name)
    ctl("switch", "set", "quality", "off", "--for", "6s", "--why", "a trial", "--confirm", "quality")
    assert state("quality") == "off"
    wait_for("it to be on", lambda: state("quality") == "on")


def denied_addresses_say_what_they_assume():
    told = ctl("restrict", "deny", "202.96.128.0/17", "--dry-run")
    gd = next(r for r in told["impact"] if r["region"] == "CN/GD")
    assert "evenly" in told["assumes"] and gd["moves_percent"] < gd["moves_percent_at_most"], (told["assumes"], gd)
    code, error = ctl("restrict", "deny", "202.96.128.0/17", ok=False)
    assert code == 1 and "may move" in error, error
    block = ctl("restrict", "deny", "202.96.128.0/24", "--dry-run")
    gd = next(r for r in block["impact"] if r["region"] == "CN/GD")
    assert gd["moves_percent"] == gd["moves_percent_at_most"], gd


def sessions(stream, vendor, ip, n):
    return [{"session": "%s-%s-%d" % (stream, ip, i), "stream": stream, "vendor": vendor, "ok": True,
             "first_frame_ms": 300, "ip": ip, "bitrate_kbps": 3000} for i in range(n)]


def streams_say_who_moves_by_region():
    ctl("stream", "add", "room", *LIVE)
    reports = sessions("room", "alpha", GD, 30) + sessions("room", "beta", BJ, 10)
    http.client.HTTPConnection("127.0.0.1", daemon.reports, timeout=60).request(
        "POST", "/v1/qos", json.dumps({"reports": reports}))
    def dry(*vendors):
        told = ctl("stream", "vendors", "room", ",".join(vendors), *LIVE, "--dry-run")
        return told, {r["region"]: r for r in told["impact"]}
    told, rows = wait_for("the sessions", lambda: (lambda x: x if x[1]["all"]["sessions"] == 40 else None)(dry("beta", "gamma")))
    assert "lie in the regions" in told["assumes"], told
    assert rows["CN/GD"]["moves_percent"] == 100 and rows["CN/GD"]["alpha_percent"] == "100.0 -> 0.0", rows
    beta, gamma = (float(rows["CN/GD"][v + "_percent"].split()[-1]) for v in ("beta", "gamma"))
    assert beta > gamma > 5 and abs(beta + gamma - 100) < 0.2, rows["CN/GD"]  # by their shares there
    assert rows["CN/BJ"]["moves_percent"] == 0 and rows["all"]["moves_percent"] == 75, rows
    code, error = ctl("stream", "vendors", "room", "beta", *LIVE, ok=False)
    assert code == 1 and "100 % of the sessions in CN/GD" in error and "--confirm live" in error, error
    told, rows = dry("gamma")
    assert rows["all"]["moves_percent"] == 100 and rows["all"]["gamma_percent"] == "0.0 -> 100.0", rows


with daemon:
    run([every_writing_command_is_told_apart, prepare, dry_run_says_who_moves_and_changes_nothing,
         each_takes_effect_little_by_little, each_ends_by_itself, grave_ones_want_to_be_confirmed,
         a_catalogue_comes_little_by_little, a_catalogue_goes_by_itself,
         a_catalogue_without_a_service_moves_everybody_of_it, a_regional_maximum_is_weighed,
         what_a_change_for_a_time_stands_over_comes_back, a_switch_comes_back_by_itself, denied_addresses_say_what_they_assume,
         streams_say_who_moves_by_region])
