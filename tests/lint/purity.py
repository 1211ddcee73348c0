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
    "libslgeo.a": ("table", "province", "isp"),
}
# Libraries whose functions a pure one may call: those of members that are pure themselves, by the
# same rule all the way down. A failed sl_assert says why before it ends the process.
CALLABLE = ("libslbase.a", "libscoring.a", "libslgeo.a", "libsldnscodec.a", "libslworld.a", "libslanswer.a")
LAST_WORDS = ("libslbase.a", "err")
LIBC = re.compile(
    r"^(mem(cpy|move|set|cmp|chr|rchr|mem)|str(len|nlen|cmp|ncmp|casecmp|ncasecmp|chr|rchr)|v?snprintf|qsort|bsearch|str(tod|toul|toull|tol)"
    r"|exp2?|log2?|log10|log1p|expm1|pow|sqrt|a?sin|a?cos|a?tan|f(abs|min|max|mod|ma)|floor|ceil|l?l?round|trunc|l?l?rint|nearbyint|ldexp|frexp|isnan|isinf"
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


def checked(lib, member):
    return lib in PURE and (PURE[lib] is None or member in PURE[lib])


def pure_symbols(table):
    """What a pure member may call: what is checked itself, and members of CALLABLE that refer to
    nothing but LIBC and to one another, all the way down."""
    shows, wants = {}, {}
    for lib, member, kind, s in table:
        if lib in CALLABLE:
            shows.setdefault((lib, member), set()).update({s} if kind in "TRDBW" else ())
            wants.setdefault((lib, member), set()).update({s} if kind in "Uw" and not LIBC.match(s) else ())
    while True:
        may = set().union(*shows.values())
        bad = [m for m in shows if m != LAST_WORDS and not checked(*m) and not wants[m] <= may]
        if not bad:
            return may
        for m in bad:
            del shows[m]


def impure(table):
    """table: symbols() of all libraries. [(library, member, symbol)] that a pure member may not refer to."""
    may = pure_symbols(table)
    return [(lib, member, s) for lib, member, kind, s in table
            if kind in "Uw" and checked(lib, member) and s not in may and not LIBC.match(s)]


base = [("libslbase.a", "os", "T", "os_now_ms"), ("libslbase.a", "os", "U", "clock_gettime"),
        ("libslbase.a", "ip", "T", "ip_parse"), ("libslworld.a", "world", "T", "world_check"),
        ("libslworld.a", "world", "U", "ip_parse"), ("libslworld.a", "file", "T", "world_load"),
        ("libslworld.a", "file", "U", "os_map"), ("libslworld.a", "keep", "T", "world_keep"),
        ("libslworld.a", "keep", "U", "world_load")]
for symbol, bad in (("os_now_ms", True), ("clock_gettime", True), ("getrandom", True), ("write", True), ("malloc", True),
                    ("random", True), ("world_load", True), ("world_keep", True), ("world_check", False),
                    ("ip_parse", False), ("exp", False), ("memcpy", False)):
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
