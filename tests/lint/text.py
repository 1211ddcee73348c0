#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What every file of ours looks like: licence line first, lengths, no trailing blanks, no path of
one machine, nothing unfinished. (Columns are clang-format's business.)"""
import os
import re

import lint

SPDX = "SPDX-License-Identifier: Apache-2.0"
NO_SPDX_NEEDED = re.compile(r"(^|/)(\.[^/]*|LICENSE[^/]*|CHANGES|[^/]*\.(md|am|inc|ac|json|jsonl|txt|csv|ya?ml|pem|golden|in|zone|svg|css|html|service|[1-8])|packages)$"
                            r"|^tests/[^.]*/(corpus|data|golden)/")
NOT_TEXT = re.compile(r"\.(mmdb|bin|blob|gz|xz|png|ico|woff2?|pcap)$|(^|/)(corpus|golden)/")
HOME = re.compile(r"(?<![\w$}.*-])/(?:work|farm|root|home)/")
# Written with a bracket each, so that this file needs no exemption from its own rule.
UNFINISHED = re.compile(r"(?<!/)\b(T[O]DO|F[I]XME|X[X]X|H[A]CK|not[ ]implemented|for[ ]now|place[h]older|stu[b](?:bed)?(?!-))\b", re.I)
LONG_REASON = re.compile(r"\blong(er)?\b|\blines\b|one table|one file", re.I)


def licence(path, text):
    if NO_SPDX_NEEDED.search(path) or not text:
        return []
    head = text.split("\n")[:2]
    first = head[1] if head[0].startswith(("#!", "<?xml", "<!DOCTYPE")) and len(head) > 1 else head[0]
    return [] if SPDX in first else [(1, "first line is not " + SPDX)]


def blanks(path, text):
    found = [(i, "blanks at the end of the line") for i, line in enumerate(text.split("\n"), 1)
             if line != line.rstrip(" \t\r")]
    if text and not text.endswith("\n"):
        found.append((text.count("\n") + 1, "no newline at the end"))
    return found


def machine(path, text):
    return [(i, "path of one machine: " + line.strip()[:60]) for i, line in enumerate(text.split("\n"), 1)
            if HOME.search(line)]


def unfinished(path, text):
    return [(i, "unfinished by its own word: " + m.group(0)) for i, line in enumerate(text.split("\n"), 1)
            for m in [UNFINISHED.search(line)] if m]


def mode(path, text, executable=None):
    if executable is None:
        executable = os.access(os.path.join(lint.TOP, path), os.X_OK)
    return [(1, "begins with #! but is not executable")] if text.startswith("#!") and not executable else []


def length(path, text):
    n = text.count("\n")
    header = path.endswith(".h")
    comments = " ".join(re.findall(r"/\*.*?\*/", text, re.S)[:2])
    if n > 800:
        return [(n, "%d lines; over 800 is never right: split by idea" % n)]
    if n > (200 if header else 500) and not LONG_REASON.search(comments):
        return [(n, "%d lines; the first comment gives no reason ('long because ...')" % n)]
    return []


def functions(path, text):
    found, start = [], 0
    for i, line in enumerate(text.split("\n"), 1):
        if line.startswith("{"):
            start = i
        elif line.startswith("}"):
            if start and i - start > 80:
                found.append((start, "function of %d lines; the limit is 80" % (i - start)))
            start = 0
    return found


def one_include_guard(path, text):
    return [] if "#pragma once" in text else [(1, "header without #pragma once")]


lint.caught(licence, "x.c", "/* x */\n", "/* %s */\n" % SPDX)
lint.caught(licence, "x.py", "#!/usr/bin/python3\n", "#!/usr/bin/python3\n# %s\n" % SPDX)
lint.caught(blanks, "x.c", "int x; \n", "int x;\n")
lint.caught(blanks, "x.c", "int x;")
lint.caught(machine, "x.c", "open /" + "root/x\n", "open(D/" + "root/x) $HOME/x /var/lib\n")
lint.caught(unfinished, "x.c", "/* TO" + "DO later */\n", "/* done */\n")
if not mode("x", "#!/bin/sh\n", False) or mode("x", "#!/bin/sh\n", True) or mode("x", "text\n", False):
    lint.say("self-test", 0, "cannot tell a script that does not run")
lint.caught(length, "x.c", "/* x */\n" + "int;\n" * 600, "/* Long because of one table. */\n" + "int;\n" * 600)
lint.caught(length, "x.c", "/* Long because. */\n" + "int;\n" * 900)
lint.caught(length, "x.h", "/* x */\n" + "int;\n" * 300)
lint.caught(functions, "x.c", "int f(void)\n{\n" + "\tg();\n" * 90 + "}\n", "int f(void)\n{\n\tg();\n}\n")
lint.caught(one_include_guard, "x.h", "int x;\n")

for check in (licence, blanks, machine, unfinished, mode):
    for path in lint.files():
        if path == "LICENSE":
            continue
        text = lint.read(path) if not NOT_TEXT.search(path) else ""
        for line, what in check(path, text):
            lint.say(path, line, what)
lint.over(length, ".c", ".h", roots=lint.C_ROOTS)
lint.over(functions, ".c", roots=tuple(r for r in lint.C_ROOTS if r != "tests"))  # tables of cases are long
lint.over(one_include_guard, ".h", roots=lint.C_ROOTS)
lint.done()
