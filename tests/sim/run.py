#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the scenarios that ship and holds their figures against the targets of docs/scoring.md.

run.py [--seeds N] [--all] [--write FILE] [SCENARIO...]
    --seeds 2      what make check runs; make sim runs 20
    --all          every policy of the scenario, not `sluice` alone
    --write FILE   the tables and the verdicts, as markdown

A target that is not met is a row of MISSED with the figure that is held in its place: worse than
that fails. A row whose target is met is said, so that it goes when its time has come.
"""
import argparse
import concurrent.futures
import datetime
import glob
import json
import os
import subprocess
import sys

TOP = os.path.abspath(os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.abspath(os.environ.get("top_builddir") or os.path.join(TOP, "build"))
SIM = os.path.join(BUILD, "sluice-sim")

# figure, at most (or at least), the scenarios (None: all) and those it does not apply to
AT_MOST, AT_LEAST = "at most", "at least"
SPREAD = ["demand_above_maxima_spread"]
TARGETS = [
    ("overshoot", AT_MOST, 1.00, None, SPREAD + ["dns_only", "meter_lies"]),
    ("overshoot", AT_MOST, 1.02, ["dns_only", "meter_lies"], []),
    ("over_mbps_s", AT_MOST, 0, ["concert_late_meters"], []),
    ("commit_use", AT_LEAST, 0.99, None, []),
    ("avoidable_burst", AT_MOST, 0.02, None, []),
    ("quality_gap", AT_MOST, 0.02, ["quality_fleet"], []),
    ("flips", AT_MOST, 0.05, None, []),
    ("churn", AT_MOST, 1, None, []),
    ("shift_time_s", AT_MOST, 15, ["vendor_down_one_group", "vendor_down_everywhere"], []),
    ("shift_time_s", AT_MOST, 90, ["vendor_stalls_one_group"], []),
    ("false_trips", AT_MOST, 0, ["isp_down", "forged_plausible", "vendor_down_one_group"], []),
    ("share_shift", AT_MOST, 0.02, ["forged_reports"], []),
    ("ratio_error", AT_MOST, 0.001, None, ["dns_only"]),
]
# (scenario, figure): the figure that is held instead
MISSED = {}


def run(path, seeds, every):
    cmd = [SIM, "--quiet", "--json"] + (["--seeds", str(seeds)] if seeds else [])
    if not every:
        cmd += ["--policy", "sluice"]
    done = subprocess.run(cmd + [path], capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(cmd + [path]), done.stderr))
    return done.stdout


def worse(value, kind, bound):
    if value is None:
        return True
    return value > bound * (1 + 1e-9) + 1e-9 if kind == AT_MOST else value < bound * (1 - 1e-9)


def judge(scenario, figures):
    """-> [(figure, value, kind, target, verdict, failed)]"""
    rows = []
    for figure, kind, target, only, but in TARGETS:
        if (only is not None and scenario not in only) or scenario in but:
            continue
        value, held = figures[figure], MISSED.get((scenario, figure))
        if figure in ("flips", "share_shift") and value is None:
            continue
        if not worse(value, kind, target):
            stale = held is not None
            rows.append((figure, value, kind, target, "met, but still a row of MISSED" if stale else "met", False))
        elif held is None:
            rows.append((figure, value, kind, target, "MISSED, and not known", True))
        else:
            lost = worse(value, kind, held)
            rows.append((figure, value, kind, target, "missed; held at %g%s" % (held, ", and LOST" if lost else ""), lost))
    return rows


def number(x):
    return "never" if x is None else "%.4g" % x


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seeds", type=int, default=2)
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--write")
    ap.add_argument("scenarios", nargs="*")
    a = ap.parse_args()
    paths = sorted(glob.glob(os.path.join(TOP, "tests/sim/*.yaml")))
    paths = [p for p in paths if not a.scenarios or os.path.basename(p)[:-5] in a.scenarios]
    if not paths:
        sys.exit("no such scenario")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(lambda p: run(p, a.seeds, a.all), paths))
    if run(paths[0], a.seeds, a.all) != texts[0]:
        sys.exit("%s: the same seeds gave other bytes" % paths[0])
    failed, verdicts, tables = 0, [], []
    for text in texts:
        report = json.loads(text)
        for p in report["policies"]:
            if p["name"] != "sluice":
                continue
            for figure, value, kind, target, verdict, bad in judge(report["scenario"], p):
                verdicts.append((report["scenario"], figure, value, kind, target, verdict))
                if verdict != "met":
                    print("%s: %s is %s, target %s %g: %s" % (report["scenario"], figure, number(value), kind, target, verdict))
                failed += bad
        tables.append(report)
    met = sum(v[5].startswith("met") for v in verdicts)
    print("%d scenarios, worst of %d seeds: %d figures meet their target, %d miss it" % (len(paths), a.seeds, met, len(verdicts) - met))
    if a.write:
        write(a.write, a.seeds, verdicts, tables)
    sys.exit(1 if failed else 0)


def write(path, seeds, verdicts, tables):
    with open(path, "w", encoding="ascii") as f:
        f.write("# Figures of the simulator\n\nMade on %s by `tests/sim/run.py --seeds %d --all`: worst and median. What each figure means\n"
                "stands in simulation.md; the targets in tests/sim/run.py.\n\n## Missed targets\n\n"
                % (datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), seeds))
        missed = [v for v in verdicts if not v[5].startswith("met")]
        if missed:
            f.write("| scenario | figure | worst | target |\n|---|---|---|---|\n")
        for s, figure, value, kind, target, _ in missed:
            f.write("| %s | %s | %s | %s %g |\n" % (s, figure, number(value), kind, target))
        if not missed:
            f.write("None.\n")
        f.write("\n%d figures are held against a target, %d meet it.\n\n## Tables\n\n" % (len(verdicts), len(verdicts) - len(missed)))
        for r in tables:
            keys = [k for k in r["policies"][0] if k not in ("name", "median", "by_seed")
                    and any(p[k] is not None for p in r["policies"])]
            f.write("### %s\n\n| policy | | %s |\n|---|---|%s\n" % (r["scenario"], " | ".join(keys), "---|" * len(keys)))
            for p in r["policies"]:
                for which, v in (("worst", p), ("median", p["median"])):
                    f.write("| %s | %s | %s |\n" % (p["name"], which, " | ".join(
                        "-" if v[k] is None else "%.4g" % v[k] for k in keys)))
            f.write("\n")


main()
