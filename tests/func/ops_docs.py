#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The manual page and the completion are what the table of commands says; docs/metrics.md names
every metric of the code and no other."""
import json
import os
import re
import subprocess
import sys

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "../..")
BUILD = os.environ.get("top_builddir") or os.path.join(TOP, "build")
CTL = os.path.join(BUILD, "sluicectl")
failed = 0


def say(what):
    global failed
    failed = 1
    print(what)


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def made(*args):
    return subprocess.run([CTL, *args], stdout=subprocess.PIPE, text=True, check=True).stdout


for option, path in (("--man", "man/sluicectl.1"), ("--completion", "contrib/bash-completion/sluicectl")):
    if made("help", option) != read(path):
        say("%s: make it anew with `sluicectl help %s`" % (path, option))
if subprocess.run(["bash", "-n", os.path.join(TOP, "contrib/bash-completion/sluicectl")], check=False).returncode:
    say("the completion is no bash")

listed = made("help")
for row in re.findall(r'^COMMAND\((\w+), "([\w-]+)", "([\w-]*)"', read("src/ctl/commands.def"), re.M):
    words = [w for w in row[1:] if w]
    if "  " + " ".join(words) not in listed:
        say("help does not list " + " ".join(words))
    if "usage: sluicectl " + " ".join(words) not in made(*words, "--help"):
        say("no help of " + " ".join(words))
    if len(words) == 2 and "  " + " ".join(words) not in made(words[0], "--help"):
        say("help of %s does not list %s" % tuple(words))

code = set(re.findall(r'^METRIC\(\w+, "(\w+)"', read("src/control/metrics.def"), re.M))
code |= set(re.findall(r'^COUNTER\(\w+, "(\w+)"', read("src/tally/counters.def"), re.M))
document = set(re.findall(r"^\| `(\w+)`", read("docs/metrics.md"), re.M))
for name in sorted(code - document):
    say("docs/metrics.md does not name " + name)
for name in sorted(document - code):
    say("docs/metrics.md names %s, which nothing gives" % name)

# its rows say of each metric what the code says
told = dict(re.findall(r'^METRIC\(\w+, "(\w+)", ("\w+", "[^"]*")\)', read("src/control/metrics.def"), re.M))
told.update({name: '"counter", ' + text for name, text in re.findall(
    r'^COUNTER\(\w+, "(\w+)", "(?:[^"\\]|\\.)*", ("[^"]*")\)', read("src/tally/counters.def"), re.M)})
for name, kind, text in re.findall(r"^\| `(\w+)` \| (\w+) \|.*\| ([^|]*) \|$", read("docs/metrics.md"), re.M):
    if name in told and told[name] != '"%s", "%s"' % (kind, text):
        say("docs/metrics.md says of %s another thing than its row: %s" % (name, told[name]))

# what ships for Prometheus and Grafana speaks of metrics that there are
rules = read("contrib/prometheus/sluice.rules.yaml")
shipped = re.sub(r"sluice_(\w+)_(bucket|sum|count)\b", r"sluice_\1", rules + read("contrib/grafana/sluice.json"))
for name in sorted(set(re.findall(r"\b(?:sluice|process)_\w+", shipped)) - code):
    say("contrib: nothing gives " + name)

# every alert: a metric that there is, causes above it, a section, and a rule that says the same
alerts = re.findall(r'^ALERT\("([\w-]+)", (\w+), "(\w+)", "(\w*)", "((?:[^"\\]|\\.)*)", (\w+),\s*([\d.]+),\s*'
                    r'([\d.]+),\s*(\d+),\s*"([\w -]*)",\s*"([^"]*)"\)', read("src/control/alerts.def"), re.M)
if len(alerts) != len(re.findall(r'^ALERT\("', read("src/control/alerts.def"), re.M)):
    say("alerts.def: a row is written in another way than the rest")
sections = re.findall(r"^### ([\w-]+)", read("docs/alerts.md"), re.M)
by_fault = read("docs/alerts.md").split("## Which fault")[1].split("## Each")[0]
inhibits = re.findall(r"source_matchers: \['alertname=\"(\w+)\"'\]\n\s+target_matchers: \['alertname=~\"([\w|]+)\"'\]",
                      read("contrib/prometheus/alertmanager.yaml"))
held = {(cause, effect) for cause, effects in inhibits for effect in effects.split("|")}
seen = []


def camel(name):
    return "Sluice" + "".join(w.capitalize() for w in name.split("-"))


for name, severity, metric, over, labels, op, fires, clears, for_s, causes, text in alerts:
    if {metric, over or metric} - code:
        say("alerts.def: %s is about a metric that nothing gives" % name)
    if float(clears) > float(fires) and op != "BELOW" or float(clears) < float(fires) and op == "BELOW":
        say("alerts.def: %s ends before it begins" % name)
    if name not in sections:
        say("docs/alerts.md has no section for " + name)
    rule = re.search(r"alert: %s\n\s+expr: '(.*)'\n\s+for: (\d+)s\n\s+labels: {severity: (\w+)}\n.*\n\s+summary: '(.*)'\n"
                     r"\s+runbook_url: '(.*)'" % camel(name), rules)
    sign = "<" if op == "BELOW" else ">"
    if not rule:
        say("contrib/prometheus has no rule for " + name)
    elif (metric not in rule[1] or labels.replace('\\"', '"') not in rule[1] or over not in rule[1]
          or not rule[1].endswith(" %s %s" % (sign, fires)) or (op == "RISES") != ("rate(" in rule[1])
          or rule[2] != for_s or rule[3] != severity.lower() or rule[4].replace("''", "'") != text
          or rule[5] != "docs/alerts.md#" + name):
        say("contrib/prometheus: %s says something else than alerts.def" % name)
    for cause in causes.split():
        if cause not in seen:
            say("alerts.def: %s has the cause %s, which is not above it" % (name, cause))
        if (camel(cause), camel(name)) not in held:
            say("contrib/prometheus/alertmanager.yaml: %s does not hold %s back" % (cause, name))
    seen.append(name)
for name in sections:
    if name not in seen + ["control-gone"]:
        say("docs/alerts.md: there is no alert " + name)
for name in re.findall(r"\b[a-z]+-[a-z-]+\b", " ".join(re.findall(r"\| ([^|]*) \|$", by_fault, re.M))):
    if name not in seen + ["control-gone"]:
        say("docs/alerts.md: the table of faults names %s" % name)

# the dashboard is one that Grafana loads: panels with ids and places of their own, every one asks something
dashboard = json.loads(read("contrib/grafana/sluice.json"))
if not dashboard["title"] or not dashboard["uid"] or dashboard["schemaVersion"] < 36:
    say("the dashboard has no title, uid or schema version")
if [v["type"] for v in dashboard["templating"]["list"]] != ["datasource"]:
    say("the dashboard does not let choose its data source")
places, ids = set(), set()
for panel in dashboard["panels"]:
    at = panel["gridPos"]
    cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
    if panel["id"] in ids or cells & places or at["x"] + at["w"] > 24:
        say("the dashboard's panel %s has the id or place of another" % panel["title"])
    ids.add(panel["id"])
    places |= cells
    if panel["datasource"] != {"type": "prometheus", "uid": "${source}"} or not panel["targets"]:
        say("the dashboard's panel %s asks nobody" % panel["title"])
    if len({t["refId"] for t in panel["targets"]}) != len(panel["targets"]) or not all(t["expr"] for t in panel["targets"]):
        say("the dashboard's panel %s has targets of one name, or without an expression" % panel["title"])
sys.exit(failed)
