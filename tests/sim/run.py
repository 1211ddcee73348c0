#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the scenarios that ship and holds their figures against the targets of docs/scoring.md.

run.py [--seeds N] [--all] [--write FILE] [SCENARIO...]
    --seeds 2      what make check runs; make sim runs 20
    --all          every policy of the scenario, not `sluice` alone
    --write FILE   the tables and the verdicts, as markdown

Some run with an audience of single sessions, each through answer/, instead of the fluid or beside
it. The concert does so with --all and with SLUICE_LONG=1: ten million viewers, three seeds at most,
and 180 s of processor time each.

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
import tempfile

TOP = os.path.abspath(os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.abspath(os.environ.get("top_builddir") or os.path.join(TOP, "build"))
SIM = os.path.join(BUILD, "sluice-sim")

SINGLE = ", single sessions"  # after the name of a scenario that ran so
ONLY_SINGLE = ("city", "hall")
LONG_SINGLE, LONG_SEEDS = ("concert",), 3

# figure, at most (or at least), the scenarios (None: all) and those it does not apply to
AT_MOST, AT_LEAST = "at most", "at least"
SPREAD = ["demand_above_maxima_spread"]
HALL = ["hall" + SINGLE]  # it is there for its doors: of so few the reports are noise, and shares follow it
TARGETS = [
    ("overshoot", AT_MOST, 1.00, None, SPREAD + ["dns_only", "meter_lies"]),
    ("overshoot", AT_MOST, 1.02, ["dns_only", "meter_lies"], []),
    ("over_mbps_s", AT_MOST, 0, ["concert_late_meters"], []),
    ("commit_use", AT_LEAST, 0.99, None, HALL),
    ("avoidable_burst", AT_MOST, 0.02, None, HALL),
    ("quality_gap", AT_MOST, 0.02, ["quality_fleet"], []),
    ("flips", AT_MOST, 0.05, None, []),
    ("churn", AT_MOST, 1, None, HALL),
    ("shift_time_s", AT_MOST, 15, ["vendor_down_one_group", "vendor_down_everywhere"], []),
    ("shift_time_s", AT_MOST, 90, ["vendor_stalls_one_group"], []),
    ("false_trips", AT_MOST, 0, ["isp_down", "forged_plausible", "vendor_down_one_group"], []),
    ("share_shift", AT_MOST, 0.02, ["forged_reports"], []),
    ("ratio_error", AT_MOST, 0.001, None, ["dns_only"]),
    ("ratio_error_1e6", AT_MOST, 0.0001, ["city" + SINGLE], []),
    ("sequence_off", AT_MOST, 1, None, ["dns_only"]),
    ("cpu_s", AT_MOST, 180, ["concert" + SINGLE], []),
]
# (scenario, or None for any; figure): the figure that is held instead
MISSED = {
    # The rule of pick.c is bound by one while shares stay; when breakers or first figures turn a row over
    # within a tick, slots that lag together pass it, by any rule (docs/scoring.md).
    (None, "sequence_off"): 1.3,
    # One seed of twenty has 0.98998 (docs/simulation.md).
    ("city" + SINGLE, "commit_use"): 0.9895,
}


def run(path, single, seeds, every):
    """-> what it wrote, seconds of processor time"""
    cmd = [SIM, "--quiet", "--json", "--seeds", str(seeds)] + (["--sessions"] if single else [])
    if not every:
        cmd += ["--policy", "sluice"]
    with tempfile.TemporaryFile("w+") as err:
        done = subprocess.Popen(cmd + [path], stdout=subprocess.PIPE, stderr=err, text=True)
        text = done.stdout.read()
        _, status, used = os.wait4(done.pid, 0)
        done.returncode = os.waitstatus_to_exitcode(status)
        if done.returncode:
            err.seek(0)
            sys.exit("%s: %d: %s" % (" ".join(cmd + [path]), done.returncode, err.read()))
    cpu_s = used.ru_utime + used.ru_stime
    print("%s%s: %d seeds, %.0f s" % (os.path.basename(path)[:-5], SINGLE if single else "", seeds, cpu_s), file=sys.stderr)
    return text, cpu_s


def plan(paths, seeds, every):
    """-> [(path, single, seeds, every)]"""
    runs = []
    for p in paths:
        name = os.path.basename(p)[:-5]
        if name not in ONLY_SINGLE:
            runs.append((p, False, seeds, every))
        if name in ONLY_SINGLE:
            runs.append((p, True, seeds, every))
        elif name in LONG_SINGLE and (every or os.environ.get("SLUICE_LONG")):
            runs.append((p, True, min(seeds, LONG_SEEDS), False))
    return runs


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
        value, known = figures[figure], (scenario, figure) in MISSED
        held = MISSED.get((scenario, figure), MISSED.get((None, figure)))
        if figure in ("flips", "share_shift") and value is None:
            continue
        if not worse(value, kind, target):
            rows.append((figure, value, kind, target, "met, but still a row of MISSED" if known else "met", False))
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
    runs = plan(paths, a.seeds, a.all)
    again = [next(r for r in runs if r[1] == single) for single in sorted({r[1] for r in runs})]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda r: run(*r), runs + again))
    for r, (text, _) in zip(again, done[len(runs):]):
        if text != done[runs.index(r)][0]:
            sys.exit("%s: the same seeds gave other bytes" % r[0])
    failed, verdicts, tables = 0, [], []
    for (_, single, seeds, _), (text, cpu_s) in zip(runs, done):
        report = json.loads(text)
        if single:
            report["scenario"] += SINGLE
            print("%s: %.1f s of processor time a seed" % (report["scenario"], cpu_s / seeds))
        for p in report["policies"]:
            if p["name"] != "sluice":
                continue
            if single:
                p["cpu_s"] = cpu_s / seeds
            for figure, value, kind, target, verdict, bad in judge(report["scenario"], p):
                verdicts.append((report["scenario"], figure, value, kind, target, verdict))
                if verdict != "met":
                    print("%s: %s is %s, target %s %g: %s" % (report["scenario"], figure, number(value), kind, target, verdict))
                failed += bad
        tables.append(report)
    met = sum(v[5].startswith("met") for v in verdicts)
    print("%d runs, worst of %d seeds: %d figures meet their target, %d miss it" % (len(runs), a.seeds, met, len(verdicts) - met))
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
                        "-" if v.get(k) is None else "%.4g" % v[k] for k in keys)))
            f.write("\n")


main()
