#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is pure refers to no clock, no input or output, no random number: by `nm -u`, an allow list.

A pure library may call: itself, the pure members of the libraries it may include, and what of libc
and libm is a function of its arguments (LIBC). Whatever else it refers to is named here.
"""
import os
import re

import lint

# library -> members (None: all); object files by name without .o
PURE = {
    "libscoring.a": None,
    "libslanswer.a": None,
    "libsldnscodec.a": None,
    "libslgeo.a": ("lookup", "class", "table"),
}
# Libraries whose functions a pure one may call, without the members that are not pure themselves.
CALLABLE = ("libslbase.a", "libscoring.a", "libslgeo.a", "libsldnscodec.a", "libslworld.a", "libslanswer.a")
NOT_PURE = {("libslbase.a", "os"), ("libslbase.a", "log"), ("libslworld.a", "publish"), ("libslworld.a", "map"),
            ("libslworld.a", "history"), ("libslworld.a", "link"), ("libslgeo.a", "mmdb"), ("libslgeo.a", "build"),
            ("libslgeo.a", "overrides")}
LIBC = re.compile(
    r"^(mem(cpy|move|set|cmp|chr|rchr|mem)|str(len|nlen|cmp|ncmp|chr|rchr)|v?snprintf|qsort|bsearch|str(tod|toul|toull|tol)"
    r"|exp2?|log2?|log10|log1p|expm1|pow|sqrt|f(abs|min|max|mod|ma)|floor|ceil|l?l?round|trunc|l?l?rint|nearbyint|ldexp|frexp|isnan|isinf"
    r"|__(popcount|clz|ctz|bswap|u?div|u?mod)\w*|__(mem|str|v?snprintf|stack_chk_fail|isoc99|explicit_bzero|ctype)\w*|_GLOBAL_OFFSET_TABLE_|__errno_location"
    r"|inet_ntop|inet_pton|htonl|htons|ntohl|ntohs)$")


def symbols(text):
    """nm -A output -> [(library, member, kind, symbol)]"""
    found = []
    for line in text.split("\n"):
        m = re.match(r"(?:.*/)?([^/:]+\.a):(?:.*-)?([^-:]+)\.o:\s*(?:[0-9a-f]+)?\s+([A-Za-z]) (\S+)$", line)
        if m:
            found.append(m.groups())
    return found


def impure(table):
    """table: symbols() of all libraries. [(library, member, symbol)] that a pure member may not refer to."""
    may = {s for lib, member, kind, s in table
           if kind in "TRDBW" and lib in CALLABLE and (lib, member) not in NOT_PURE}
    bad = []
    for lib, member, kind, s in table:
        if kind not in "Uw" or lib not in PURE:
            continue
        if PURE[lib] is not None and member not in PURE[lib]:
            continue
        if s not in may and not LIBC.match(s):
            bad.append((lib, member, s))
    return bad


base = [("libslbase.a", "os", "T", "os_now_ms"), ("libslbase.a", "ip", "T", "ip_parse")]
for symbol, bad in (("os_now_ms", True), ("clock_gettime", True), ("getrandom", True), ("write", True), ("malloc", True),
                    ("random", True), ("ip_parse", False), ("exp", False), ("memcpy", False)):
    if bool(impure(base + [("libscoring.a", "score", "U", symbol)])) != bad:
        lint.say("self-test", 0, "wrong about " + symbol)
if not symbols("x/libscoring.a:score.o:                 U exp\n"):
    lint.say("self-test", 0, "cannot read nm")

libs = [os.path.join(lint.BUILD, lib) for lib in sorted(set(PURE) | set(CALLABLE))]
libs = [lib for lib in libs if os.path.exists(lib)]
if os.path.exists(lint.BUILD + "/config.h"):
    with open(lint.BUILD + "/config.h", encoding="utf-8") as config:
        if "#define SL_SANITIZE 1" in config.read():
            lint.skip("a sanitizer's own calls are in these libraries")
if libs:
    for lib, member, s in impure(symbols(lint.run("nm", "-A", *libs).stdout)):
        lint.say("%s(%s.o)" % (lib, member), 0, "refers to %s, which is not pure" % s)
lint.done()
