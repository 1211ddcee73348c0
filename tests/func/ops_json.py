#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What every command answers with --json is what docs/commands.md says, and no other member; every
member has a row there that says what it is. SLUICE_DOCS=write makes the shapes anew."""
import json
import os
import re
import subprocess
import sys

from sluice import BUILD, LONG, TOP, Sluice, demo_with_ingests, wait_for

DOC = os.path.join(TOP, "docs/commands.md")
GD = "202.96.128.86"
LIVE = ("--service", "live")
catalog = demo_with_ingests("""nodes:
  - {name: gd-1, vendor: gamma, group: CN/GD/telecom, capacity_mbps: 30000, a: [203.0.113.101]}
streams:
  - {name: stage, service: live, vendors: [alpha, beta], encrypted: true}
""").replace("    max_mbps: 16000000\n", """    max_mbps: 16000000
    regions:
      - {name: south, groups: [CN/GD, CN/GX], guaranteed_mbps: 1000000, max_mbps: 3000000}
""", 1)
daemon = Sluice(extra="tick_ms: 200", prepare={"catalog.yaml": catalog.encode()})
seen = {}  # command: {path: set of members}


def name_of(key):
    """Members that are named after vendors are one."""
    return re.sub(r"^(alpha|beta|gamma)(_|$)", r"VENDOR\2", key)


def look(shape, path, value):
    if isinstance(value, dict):
        for key, v in value.items():
            shape.setdefault(path, set()).add(name_of(key))
            below = (path + "." if path else "") + name_of(key)
            if path.split(".")[-1] not in ("definition",) and key != "definition":
                look(shape, below, v)
    elif isinstance(value, list):
        shape.setdefault(path + "[]", set())
        for v in value:
            look(shape, path + "[]", v)


def do(command, *args, text=None, confirm=True):
    words = command.split()
    local = command in ("score", "config check", "world dump", "world diff", "world install")
    where = () if local else ("--socket", daemon.state + "/admin.sock")
    run = subprocess.run([os.path.join(BUILD, "sluicectl"), *where, "--json", *words, *args,
                          *(("--confirm", confirm) if isinstance(confirm, str) else ())],
                         capture_output=True, text=True, input=text, timeout=60, check=False)
    assert run.returncode == 0, (command, args, run.stderr)
    answer = json.loads(run.stdout)
    look(seen.setdefault(command, {}), "", answer)
    return answer


def everything():
    for vendor in ("alpha", "beta", "gamma"):
        do("meter push", vendor, "5000")
    do("meter push", "beta", "500", "--region", "south")
    reports = [{"session": "s%d" % i, "stream": "stage", "vendor": "beta", "ok": True,
                "first_frame_ms": 300, "ip": GD, "bitrate_kbps": 3000} for i in range(20)]
    reports += [{"kind": "push", "session": "p", "stream": "stage", "node": "north", "ip": GD, "frame_rate": 25,
                 "bitrate_kbps": 3000, "rtt_ms": 30}]
    subprocess.run(["curl", "-s", "-d", json.dumps({"reports": reports}),
                    "http://127.0.0.1:%d/v1/qos" % daemon.reports], check=True, capture_output=True, timeout=60)
    wait_for("facts", lambda: daemon.ctl("quality", ok=False)[0] == 0 and
             any(isinstance(v, list) and v for v in daemon.ctl("hot").values()))
    for command in ("status", "vendor show", "meter show", "meter sources", "quality", "hot", "probe show",
                    "harvest show", "ingest show",
                    "node show", "stream list", "alert list", "switch list", "plan list"):
        do(command)
    do("top", "--count", "1")
    do("explain", "--ip", GD, "--host", "live.sluice.example", "--stream", "stage")
    do("steer tags", "live") if steerable() else None
    with open(os.path.join(TOP, "tests/unit/golden/score.in"), encoding="utf-8") as fleets:
        do("score", "--file", "-", text=fleets.readline())
    do("config check", daemon.config)
    do("config show")
    do("vendor weight", "gamma", "0.9", "--why", "trial", "--for", "1h")
    do("node drain", "gd-1", "--for", "1h")
    do("node show")
    do("stream add", "room", *LIVE)
    do("stream vendors", "room", "alpha", *LIVE)
    do("stream encrypt", "room", "on", *LIVE)
    do("stream ingest", "room", "north", *LIVE)
    do("restrict add", "gamma", "--groups", "CN/GX")
    do("restrict deny", "10.0.0.0/8", confirm="restrict")
    do("restrict allow", "10.1.0.0/16")
    do("blacklist add", "gamma", "--groups", "CN/GD", "--ramp", "1s")
    do("service lower", "10", *LIVE)
    do("service static", "on", *LIVE, confirm="live")
    for command in ("rules", "restrict list", "blacklist list", "explain"):
        do(command, *(("--ip", GD, "--host", "live.sluice.example") if command == "explain" else ()))
    daemon.tick()
    do("config show", "--effective")
    do("vendor drain", "alpha", "--dry-run")
    do("vendor drain", "alpha", confirm="alpha")
    do("vendor resume", "alpha", "--for", "1h", confirm="alpha")
    do("rules")
    do("vendor evacuate", "gamma", "--groups", "CN/GX")
    do("vendor cap", "beta", "12000000")
    do("node resume", "gd-1")
    do("blacklist remove", "gamma")
    do("restrict remove", "gamma")
    do("stream remove", "room", *LIVE)
    do("history")
    do("diff")
    do("rollback", confirm="rollback")
    do("audit list")
    do("audit verify")
    do("token add", "amy", "--role", "viewer", "--service", "live", "--for", "1h")
    do("token list")
    do("token remove", "amy")
    do("log-level", "info")
    daemon.write("own.yaml", "mode: manual\ndo: [{command: vendor weight, args: {vendor: beta, weight: 0.9}}]\n")
    do("plan add", "own", daemon.dir + "/own.yaml")
    do("plan show", "own")
    do("plan arm", "own")
    do("plan fire", "own", confirm="own")
    do("plan revert", "own")
    do("plan veto", "own")
    do("plan list")
    do("plan remove", "own")
    do("drill run", "blacklist", "--vendor", "gamma")
    do("drill run", "cap", "--vendor", "gamma", "--value", "5")
    do("drill inject", "meter-silent", "--vendor", "gamma", "--for", "0s")
    do("drill inject", "vendor-failing", "--vendor", "gamma", "--for", "1s")
    do("alert silence", "meter-silent", "--for", "1s")
    do("switch set", "alerts", "on")
    do("switch set", "quality", "off", "--dry-run")
    do("switch set", "hot", "off", "--dry-run")
    daemon.write("new.yaml", catalog.replace("max_mbps: 9000000", "max_mbps: 8000000"))
    do("config diff", daemon.dir + "/new.yaml")
    do("config apply", daemon.dir + "/new.yaml")
    do("reload")
    do("export")
    do("names", "vendors")
    do("world diff", daemon.state + "/world", daemon.state + "/world")
    kept = max(n for n in os.listdir(daemon.state + "/history") if n.isdigit())
    do("world diff", daemon.state + "/history/" + kept, daemon.state + "/world")
    dump = do("world dump", daemon.state + "/world/tick.blob")
    seen["world dump"] = {"": {k for k in dump if not isinstance(dump[k], (list, dict))}}


def steerable():
    return daemon.ctl("steer", "tags", "live", ok=False)[0] == 0


def with_control_dead():
    pid = daemon.pids()["control"]
    os.kill(daemon.process.pid, 19)
    os.kill(pid, 9)
    try:
        wait_for("control to be dead", lambda: not daemon.probe(daemon.admin))
        kept = max(n for n in os.listdir(daemon.state + "/history") if n.isdigit())
        do("world install", daemon.state + "/history/" + kept, "--state", daemon.state)
    finally:
        os.kill(daemon.process.pid, 18)
    wait_for("control to be back", lambda: daemon.probe(daemon.admin))


def commands():
    with open(os.path.join(TOP, "src/ctl/commands.def"), encoding="utf-8") as table:
        rows = re.findall(r'^COMMAND\(\w+, "([\w-]+)", "([\w-]*)"', table.read(), re.M)
    return [" ".join(filter(None, r)) for r in rows]


def line_of(path, members):
    return "- `%s`: %s" % (path or "{}", ", ".join("`%s`" % m for m in sorted(members)))


def documented(text):
    """command: {path: members, those that are only there at times with a ?}, and the glossary."""
    shapes, command = {}, None
    for line in text.split("## Members", 1)[0].split("\n"):
        if line.startswith("### "):
            command = line[4:]
            shapes[command] = {}
        m = re.match(r"- `([^`]+)`: ?(.*)", line)
        if m and command:
            shapes[command]["" if m.group(1) == "{}" else m.group(1)] = set(re.findall(r"`([^`]+)`", m.group(2)))
    return shapes, dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", text, re.M))


with daemon:
    everything()
    with_control_dead()
with open(DOC, encoding="utf-8") as f:
    doc = f.read()
shapes, glossary = documented(doc)
failed, new = [], []
if os.environ.get("SLUICE_DOCS") == "write":
    head, rest = doc.split("## Answers\n", 1)
    intro, tail = rest.split("### ", 1)[0], "## Members" + doc.split("## Members", 1)[1]
    out = head + "## Answers\n" + intro
    for c in commands():
        out += "### %s\n\n" % c
        old = shapes.get(c, {})
        for path in sorted(set(seen.get(c, {})) | set(old)):
            now = seen.get(c, {}).get(path, set())
            was = {m for m in old.get(path, set()) if m.endswith("?")}
            members = {m for m in now if m + "?" not in was} | was
            out += line_of(path, members) + "\n" if members else ""
        out += "\n"
    with open(DOC, "w", encoding="utf-8") as f:
        f.write(out + tail)
    doc = out + tail
    shapes, glossary = documented(doc)
for c in commands():
    if c not in shapes:
        failed.append("docs/commands.md has no `### %s`" % c)
    elif c not in ("help", "steer tags") and c not in seen:
        failed.append("%s was not tried" % c)
    for path, members in seen.get(c, {}).items():
        told = {m.rstrip("?") for m in shapes.get(c, {}).get(path, set())}
        for m in members - told:  # new ones may come; the long check wants them told
            (failed if LONG else new).append("%s: `%s` of `%s` is not in docs/commands.md" % (c, m, path))
    for path, members in shapes.get(c, {}).items():
        for m in members:
            if path == "" and not m.endswith("?") and c in seen and m not in seen[c].get(path, set()):
                failed.append("%s: docs/commands.md has `%s` of `%s`, which was not answered" % (c, m, path))
for c, members in ((c, m.rstrip("?")) for c in shapes for p in shapes[c].values() for m in p):
    if members not in glossary:
        failed.append("docs/commands.md does not say what `%s` is (%s)" % (members, c))
used = {m.rstrip("?") for c in shapes.values() for p in c.values() for m in p}
failed += ["docs/commands.md explains `%s`, which nothing answers" % m for m in glossary if m not in used]
for line in sorted(set(failed + new)):
    print(line)
print("%d commands, %d members" % (len(shapes), len(used)))
sys.exit(1 if failed else 0)
