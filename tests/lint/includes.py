#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The allowed direction of the design, over every #include "..." line: who may include whom.

A row: the unit, where its files are, and the units whose headers it may include (its own always).
`codec` are the pure files of src/dns, those that its Makefile.inc puts into libsldnscodec.a; `plant`
the simulated world (src/sim/plant* and scenario*), which knows nothing of scoring/.
"""
import re

import lint

PURE = "base geo scoring conf codec world answer"
SHARED = PURE + " httpd tally"
MATRIX = """
unit     folder       may include
base     src/base     -
geo      geo          base
scoring  scoring      base
conf     conf         base
codec    src/dns      base
world    src/world    base geo scoring conf codec
answer   src/answer   base geo scoring conf codec world
httpd    src/httpd    {shared}
tally    src/tally    {shared}
dns      src/dns      {shared}
http     src/http     {shared} dns
collect  src/collect  {shared}
sense    src/sense    {shared} engine control store
engine   src/engine   {shared} sense control store
control  src/control  {shared} sense engine store
store    src/store    {shared} sense engine control
bench    src/bench    base
ctl      src/ctl      base conf scoring world store
plant    src/sim      base conf
sim      src/sim      {pure} plant tally
sluiced  src          {shared} dns http collect sense engine control store ctl
tests    tests        {shared} dns http collect sense engine control store ctl sim sluiced
tools    tools        {shared}
""".format(pure=PURE, shared=SHARED)

# The table of commands is one for both its sides, that of doors for who counts them and who shows it.
TABLES = {("control", "ctl/commands.h"), ("control", "ctl/commands.def"), ("control", "http/doors.def")}

# Clock, sockets, files, log: for shells only. These units are functions of their arguments.
SHELL_HEADERS = ("base/os.h", "base/log.h")
NO_SHELL = ("scoring", "codec", "answer")

rows = [line.split() for line in MATRIX.strip().split("\n")[1:]]
ALLOWED = {r[0]: set(r[2:]) | {r[0]} for r in rows}
FOLDERS = sorted(((r[1], r[0]) for r in rows if r[0] not in ("codec", "plant")), key=lambda x: -len(x[0]))
try:
    MAKE = lint.read("src/dns/Makefile.inc").replace("\\\n", " ")
except FileNotFoundError:
    MAKE = ""
CODEC = set(re.findall(r"(src/dns/\S+\.[ch])", "".join(re.findall(r"libsldnscodec_a_SOURCES.*", MAKE))))

# Our headers by the names that -Isrc and -I. let an #include have.
OURS = {n for p in lint.files(".h", ".def", roots=lint.C_ROOTS) for n in (p, re.sub(r"^src/", "", p))}


def unit_of(path):
    if path in CODEC:
        return "codec"
    if re.match(r"src/sim/(plant|scenario)", path):
        return "plant"
    for folder, unit in FOLDERS:
        if path.startswith(folder + "/"):
            return unit if unit != "sluiced" or path.count("/") == 1 else None
    return None


def target_of(path, name):
    """The file that #include "name" of path means, relative to the top."""
    folder = path.rsplit("/", 1)[0]
    first = name.split("/")[0]
    if "/" not in name:
        return folder + "/" + name
    if first in ("geo", "scoring", "conf", "tests", "sdk"):
        return name
    return "src/" + name


def direction(path, text):
    me = unit_of(path)
    if me is None:
        return [(1, "no row of tests/lint/includes.py knows this folder")]
    found = []
    for i, line in enumerate(text.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s*<([^>]+)>', line)
        if m and m.group(1) in OURS:
            found.append((i, "<%s> is ours: project headers stand in quotes" % m.group(1)))
        m = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if not m or m.group(1) == "config.h" or (me, m.group(1)) in TABLES:
            continue
        target = target_of(path, m.group(1))
        it = unit_of(target)
        if it is None and me != "tests":
            found.append((i, "%s belongs to no unit of the matrix" % m.group(1)))
        elif it and it not in ALLOWED[me] and me != "tests":
            found.append((i, "%s includes %s: %s may include only %s"
                          % (me, it, me, " ".join(sorted(ALLOWED[me])))))
        elif me in NO_SHELL and m.group(1) in SHELL_HEADERS:
            found.append((i, "%s is pure: %s is for shells" % (me, m.group(1))))
    return found


def order(path, text):
    """Own header first, then project headers by name, then the system's."""
    if not path.endswith(".c"):
        return []
    own = re.sub(r"^(src/)?|\.c$", "", path)
    names = [(i, m.group(1)) for i, line in enumerate(text.split("\n"), 1)
             for m in [re.match(r'#include ([<"].*[>"])', line)] if m and ".def" not in line]
    quoted = [(i, n[1:-1]) for i, n in names if n[0] == '"']
    rest = [x for x in quoted if x[1] != own + ".h"]
    found = []
    if len(rest) < len(quoted) and names[0][1] != '"%s.h"' % own:
        found.append((names[0][0], "own header %s.h is not first" % own))
    for a, b in zip(rest, rest[1:]):
        if a[1] > b[1]:
            found.append((b[0], "%s after %s: project headers go by name" % (b[1], a[1])))
    first_system = min((i for i, n in names if n[0] == "<"), default=None)
    if first_system and quoted and quoted[-1][0] > first_system:
        found.append((quoted[-1][0], "project header after a system header"))
    return found


lint.caught(direction, "scoring/score.c", '#include "world/world.h"\n', '#include "base/err.h"\n')
lint.caught(direction, "scoring/score.c", '#include "base/os.h"\n')
lint.caught(direction, "src/engine/tick.c", '#include "http/native.h"\n', '#include "store/store.h"\n')
lint.caught(direction, "src/sim/plant_step.c", '#include "scoring/score.h"\n', '#include "sim/scenario.h"\n')
lint.caught(direction, "src/sim/plant_step.c", '#include "sim/policy.h"\n')
lint.caught(direction, "scoring/score.c", "#include <base/os.h>\n", "#include <math.h>\n")
lint.caught(direction, "scoring/score.c", '#include"world/world.h"\n')
lint.caught(direction, "src/nowhere/x.c", "\n")
lint.caught(direction, "src/answer/decide.c", '#include "nowhere/x.h"\n')
lint.caught(order, "src/world/map.c", '#include "base/err.h"\n#include "world/map.h"\n',
            '#include "world/map.h"\n\n#include "base/err.h"\n\n#include <stdio.h>\n')
lint.caught(order, "src/world/map.c", '#include "base/os.h"\n#include "base/err.h"\n')
lint.caught(order, "src/world/map.c", '#include <stdio.h>\n#include "base/err.h"\n')

lint.over(direction, ".c", ".h", roots=lint.C_ROOTS)
lint.over(order, ".c", roots=("conf", "geo", "scoring", "src"))
lint.done()
