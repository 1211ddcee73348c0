# SPDX-License-Identifier: Apache-2.0
"""What the lint tests share: the files of the tree, C without comments and strings, the report.

A lint is a function check(name, text) -> [(line, what)] or one over the whole tree. Each shows that
it can fail: caught() runs it over a snippet that must be found, and one that must not.
"""
import os
import re
import subprocess
import sys

TOP = os.path.abspath(os.environ.get("top_srcdir") or os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.path.abspath(os.environ.get("top_builddir") or os.path.join(TOP, "build"))

# Folders with C of ours; everything under them belongs to the project.
C_ROOTS = ("conf", "geo", "scoring", "src", "sdk", "tests", "tools")
SKIP = {"autom4te.cache", "build-aux", "run", "__pycache__", "node_modules", "vendor"}
MADE = {"configure", "configure~", "config.h.in", "config.h.in~", "aclocal.m4", "Makefile.in"}

findings = []


def files(*suffixes, roots=None):
    """Paths relative to TOP of the files that are ours, sorted; of these suffixes, if any are given."""
    found = []
    for folder, dirs, names in os.walk(TOP):
        rel = os.path.relpath(folder, TOP)
        rel = "" if rel == "." else rel + "/"
        dirs[:] = sorted(d for d in dirs if d not in SKIP and d != ".git"
                         and not (rel == "" and d.startswith(("build", "sluice-")))
                         and not os.path.exists(os.path.join(folder, d, "config.status")))
        for name in sorted(names):
            path = rel + name
            if name == ".git" or name in MADE or (suffixes and not name.endswith(suffixes)):
                continue
            if roots is None or path.split("/")[0] in roots:
                found.append(path)
    return found


def read(path):
    with open(os.path.join(TOP, path), "rb") as f:
        return f.read().decode("utf-8", "replace")


def _blank(match):
    text = match.group(0)
    if text.startswith("/"):
        return re.sub(r"[^\n]", " ", text)
    return text[0] + " " * (len(text) - 2) + text[-1]


def code(text):
    """C with comments and the insides of strings made blank; lines stay where they are."""
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', _blank, text, flags=re.S)


def say(path, line, what):
    findings.append("%s:%d: %s" % (path, line, what))


def over(check, *suffixes, roots=None):
    """Runs check(path, text) over these files."""
    for path in files(*suffixes, roots=roots):
        for line, what in check(path, read(path)):
            say(path, line, what)


def caught(check, name, bad, good=None):
    """The lint's test of itself."""
    if not check(name, bad):
        say("self-test", 0, "%s does not catch: %r" % (check.__name__, bad))
    if good is not None and check(name, good):
        say("self-test", 0, "%s is wrong about: %r" % (check.__name__, good))


def run(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


def done():
    for f in findings:
        print(f)
    sys.exit(1 if findings else 0)
