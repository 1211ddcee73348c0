#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sluice-sim as its users meet it: the same seed gives the same bytes, a bar on a terminal, pictures,
traces, JSON; what is wrong in a scenario is said with its line; docs/simulation.md has its keys."""
import json
import os
import pty
import shutil
import subprocess
import tempfile

from sluice import BUILD, TOP, run

SIM = os.path.join(BUILD, "sluice-sim")
SCENARIO = """name: small
duration_s: 60
vendors:
  - {name: alpha, guaranteed_mbps: 1000, max_mbps: 2000}
  - {name: beta, guaranteed_mbps: 500, max_mbps: 2000}
audience:
  groups: [{name: CN/GD/telecom, size: 2}, {name: CN/ZJ/mobile}]
  curve: [{at_s: 0, per_s: 5}]
  ladder: [{kbps: 2000, part: 1}]
scheduler: {warm_s: 10}
seeds: 2
policies: [sluice, optimum, fixed]
"""
FIGURES = ("overshoot", "over_mbps_s", "commit_use", "avoidable_burst", "quality_gap", "churn", "flips",
           "shift_time_s", "ratio_error")


def sim(where, *options, text=SCENARIO, code=0, **more):
    path = os.path.join(where, "small.yaml")
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
    done = subprocess.run([SIM, *options, path], stdout=subprocess.PIPE, text=True, check=False,
                          **{"stderr": subprocess.PIPE, **more})
    assert done.returncode == code, (options, done)
    return done


def in_a_folder(case):
    def inner():
        with tempfile.TemporaryDirectory(prefix="sluice-sim-") as where:
            case(where)
    inner.__name__ = case.__name__
    return inner


@in_a_folder
def the_same_seed_gives_the_same_bytes(where):
    for options in ((), ("--json",), ("--sessions", "--json")):
        first, again = sim(where, *options), sim(where, *options)
        assert first.stdout == again.stdout and not first.stderr, (options, first.stderr)
        assert first.stdout != sim(where, "--seed", "3", *options).stdout, options


@in_a_folder
def json_names_policies_and_figures(where):
    told = json.loads(sim(where, "--json").stdout)
    assert told["scenario"] == "small" and told["seeds"] == 2, told
    assert [p["name"] for p in told["policies"]] == ["sluice", "optimum", "fixed"], told
    for p in told["policies"]:
        assert set(FIGURES) <= set(p) and set(FIGURES) <= set(p["median"]) and len(p["by_seed"]) == 2, p
    assert told["policies"][1]["commit_use"] == 1, told


def on_a_terminal(where, *options):
    """All that it writes on a terminal, to its end."""
    ours, theirs = pty.openpty()
    try:
        sim(where, *options, stderr=theirs)
    finally:
        os.close(theirs)
    told = b""
    try:
        while part := os.read(ours, 65536):
            told += part
    except OSError:  # nobody has the other end any more
        pass
    finally:
        os.close(ours)
    return told.decode()


@in_a_folder
def a_bar_only_on_a_terminal(where):
    bar = on_a_terminal(where)
    assert "small" in bar and "6/6" in bar, bar
    assert not on_a_terminal(where, "--quiet")


@in_a_folder
def pictures_and_traces(where):
    trace, picture = os.path.join(where, "trace"), os.path.join(where, "picture.png")
    sim(where, "--trace", trace)
    with open(trace, encoding="ascii") as f:
        rows = [row.split() for row in f if not row.startswith("#")]
    assert len(rows) == 60 and all(len(row) == 1 + 2 * 5 + 3 for row in rows), rows[:2]
    assert all(float(row[2]) == 1000 and float(row[3]) == 2000 for row in rows), rows[0]
    if not shutil.which("gnuplot"):
        print("skipped: gnuplot is not installed")
        return
    os.unlink(trace)
    assert not sim(where, "--plot", picture, "--trace", trace).stderr
    assert os.path.getsize(trace) > 0
    with open(picture, "rb") as f:
        assert f.read(8) == b"\x89PNG\r\n\x1a\n"
    sim(where, "--plot", os.path.join(where, "no", "folder.png"), code=1)


@in_a_folder
def a_wrong_value_is_named(where):
    for option, value, want in (("--seeds", "0", "a whole number from 1 to 1000"), ("--seed", "x", "a whole number from 1"),
                                ("--policy", "slice", "one of sluice, optimum")):
        done = sim(where, option, value, code=2)
        assert done.stderr.startswith('sluice-sim: %s: got "%s", want %s' % (option, value, want)), done
    told = json.loads(sim(where, *["--policy", "fixed"] * 7, "--json").stdout)
    assert [p["name"] for p in told["policies"]] == ["fixed"], told


@in_a_folder
def names_in_pictures_are_as_they_are(where):
    gnuplot, script = os.path.join(where, "gnuplot"), os.path.join(where, "script")
    with open(gnuplot, "w", encoding="ascii") as f:
        f.write('#!/bin/sh\ncp "$1" "%s"\n' % script)
    os.chmod(gnuplot, 0o755)
    sim(where, "--plot", os.path.join(where, "x.png"), text=SCENARIO.replace("alpha", "al_pha"),
        env={**os.environ, "PATH": where + ":" + os.environ["PATH"]})
    with open(script, encoding="ascii") as f:
        told = f.read()
    assert "'al_pha'" in told and " noenhanced " in told, told  # else p is a subscript


@in_a_folder
def what_is_wrong_has_its_line(where):
    for old, new, want in (
            ("policies: [sluice,", "policies: [slice,", ':12: policies[0]: unknown, got "slice"'),
            ("fixed]", "fixd]", ':12: policies[2]: unknown, got "fixd"'),
            ("seeds: 2", "events: [{at_s: 5, kind: down, vendor: gamma}]", ':11: events[0].vendor: no vendor, got "gamma"'),
            ("kbps: 2000", "kbps: many", ":9: audience.ladder[0].kbps")):
        done = sim(where, text=SCENARIO.replace(old, new), code=1)
        assert want in done.stderr and not done.stdout, (new, done)


def the_document_has_every_key():
    keys = subprocess.run([SIM, "--keys"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    with open(os.path.join(TOP, "docs", "simulation.md"), encoding="ascii") as f:
        assert keys in f.read(), "put the output of `sluice-sim --keys` into docs/simulation.md"


if __name__ == "__main__":
    run([the_document_has_every_key, what_is_wrong_has_its_line, the_same_seed_gives_the_same_bytes,
         json_names_policies_and_figures, a_bar_only_on_a_terminal, pictures_and_traces, names_in_pictures_are_as_they_are,
         a_wrong_value_is_named])
