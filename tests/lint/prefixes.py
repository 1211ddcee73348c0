#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every symbol that a library shows starts with a prefix that docs/prefixes.md registers for it."""
import glob
import os
import re

import lint


def register(text):
    """docs/prefixes.md -> ({library: [prefix]}, [(line, what)])"""
    owner, table, wrong = {}, {}, []
    for i, line in enumerate(text.split("\n"), 1):
        m = re.match(r"\|\s*`(lib\w+\.a)`\s*\|[^|]*\|([^|]*)\|", line)
        if not m:
            continue
        for prefix in re.findall(r"`(\w+_)`", m.group(2)):
            if prefix in owner:
                wrong.append((i, "%s is registered for %s already" % (prefix, owner[prefix])))
            owner[prefix] = m.group(1)
            table.setdefault(m.group(1), []).append(prefix)
    return table, wrong


def unregistered(table, shown):
    """shown: [(library, symbol)]"""
    return [(lib, s) for lib, s in shown if not s.startswith(tuple(table.get(lib, ())) or "\0")
            and not s.startswith(("__asan", "__odr_asan", "__gcov"))]


good, _ = register("| `libx.a` | x | `x_` |\n")
if unregistered(good, [("libx.a", "x_new")]) or not unregistered(good, [("libx.a", "y_new"), ("liby.a", "x_new")]):
    lint.say("self-test", 0, "cannot tell a registered prefix from another")
if not register("| `liba.a` | a | `a_` |\n| `libb.a` | b | `a_` |\n")[1]:
    lint.say("self-test", 0, "does not see a prefix registered twice")

table, wrong = register(lint.read("docs/prefixes.md"))
for line, what in wrong:
    lint.say("docs/prefixes.md", line, what)
shown = []
for lib in sorted(glob.glob(lint.BUILD + "/lib*.a")):
    for line in lint.run("nm", "-g", "--defined-only", lib).stdout.split("\n"):
        m = re.match(r"[0-9a-f]+ [A-Z] (\S+)$", line)
        if m:
            shown.append((os.path.basename(lib), m.group(1)))
for lib, s in unregistered(table, shown):
    lint.say("docs/prefixes.md", 1, "%s shows %s: register its prefix, or make it static" % (lib, s))
lint.done()
