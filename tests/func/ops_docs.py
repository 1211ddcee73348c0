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

code = set(re.findall(r'^METRIC\(\w+, "(\w+)"', read("src/control/metrics.def"), re.M))
code |= set(re.findall(r'^COUNTER\(\w+, "(\w+)"', read("src/tally/counters.def"), re.M))
document = set(re.findall(r"^\| `(\w+)`", read("docs/metrics.md"), re.M))
for name in sorted(code - document):
    say("docs/metrics.md does not name " + name)
for name in sorted(document - code):
    say("docs/metrics.md names %s, which nothing gives" % name)

# what ships for Prometheus and Grafana speaks of metrics that there are, and of every alert
shipped = read("contrib/prometheus/sluice.rules.yaml") + read("contrib/grafana/sluice.json")
for name in sorted(set(re.findall(r"\b(?:sluice|process)_\w+", shipped)) - code):
    say("contrib: nothing gives " + name)
for name in re.findall(r'^ALERT\("([\w-]+)"', read("src/control/alerts.def"), re.M):
    if "alert: Sluice" + "".join(w.capitalize() for w in name.split("-")) not in shipped:
        say("contrib/prometheus has no rule for " + name)
json.loads(read("contrib/grafana/sluice.json"))
sys.exit(failed)
