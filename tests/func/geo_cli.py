#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sluice-geo from outside: arguments, exit codes, a table file, and 2300 rows of the source data."""
import csv
import gzip
import ipaddress
import json
import os
import random
import subprocess
import sys
import tempfile

TOP = os.environ.get("top_srcdir", ".")
GEO = os.path.join(os.environ.get("top_builddir", "."), "sluice-geo")
NETS = os.path.join(TOP, "geo/nets.csv")
DATA = os.path.join(TOP, "../shared/data")
WORLD = os.path.join(DATA, "steering-world.mmdb")
ISP = {"China Telecom": "telecom", "China Unicom": "unicom", "China Mobile": "mobile", "CERNET": "cernet",
       "CSTNET": "cstnet", "Dr.Peng": "drpeng", "Alibaba Cloud": "alibaba", "Tencent Cloud": "tencent",
       "Huawei Cloud": "huawei", "ByteDance": "bytedance"}
failed = 0


def run(*args, text="", env=None):
    e = {k: v for k, v in os.environ.items() if k != "SLUICE_GEO_TABLE"}
    e.update(env or {})
    return subprocess.run([GEO, *args], input=text, capture_output=True, text=True, env=e)


def check(what, ok, seen=""):
    global failed
    if not ok:
        failed += 1
        print("FAIL: %s: %s" % (what, seen))


def refuses(what, code, word, *args, **kw):
    r = run(*args, **kw)
    check(what, r.returncode == code and word in r.stderr and not r.stdout, r)


def arguments(tmp):
    r = run("--help")
    check("help", r.returncode == 0 and r.stdout.startswith("usage:") and not r.stderr, r)
    refuses("no command", 2, "want a command")
    refuses("no such command", 2, "no such command", "look")
    refuses("no such option", 2, "usage", "lookup", "--frob")
    refuses("no address", 2, "name an address", "lookup", "--overrides", NETS)
    refuses("no source", 1, "SLUICE_GEO_TABLE", "lookup", "1.1.1.1")
    refuses("build without --out", 2, "--out", "build", "--overrides", NETS)
    refuses("two kinds of source", 2, "--table", "stats", "--table", "x", "--overrides", NETS)
    refuses("no such file", 1, "/nonexistent.mmdb", "stats", "--db", "/nonexistent.mmdb")
    refuses("no such table", 1, "/nonexistent", "stats", "--table", "/nonexistent")
    refuses("not a table", 1, NETS, "stats", "--table", NETS)
    refuses("too many databases", 2, "too many", "stats", *["--db", "x"] * 16)
    refuses("no address", 1, '"1.2.3"', "lookup", "--overrides", NETS, "1.2.3")
    bad = os.path.join(tmp, "bad.csv")
    with open(bad, "w") as f:
        f.write("# x\n10.0.0.0/8,CN,GD,acme\n")
    refuses("a bad correction", 1, bad + ":2: no such carrier", "stats", "--overrides", bad)


def table_file(tmp):
    out = os.path.join(tmp, "geo.table")
    r = run("build", "--overrides", NETS, "--out", out)
    check("build", r.returncode == 0 and not r.stdout, r)
    addrs = ["202.96.128.86", "1.80.0.1", "8.8.8.8", "::ffff:202.96.128.86", "2002:ca60:8056::1", "::1"]
    direct = run("lookup", "--overrides", NETS, *addrs)
    check("lookup", direct.returncode == 0 and direct.stdout.startswith("202.96.128.86\tCN/GD/telecom\t18\n"), direct)
    check("mapped and 6to4", "\tCN/GD/telecom\t114\n" in direct.stdout and "\tCN/GD/telecom\t34\n" in direct.stdout, direct)
    for kw in ({"args": ["--table", out]}, {"env": {"SLUICE_GEO_TABLE": out}, "args": []}):
        r = run("lookup", *kw["args"], *addrs, env=kw.get("env"))
        check("lookup in the file", r.stdout == direct.stdout, r)
    r = run("lookup", "--table", out, "-", text="\n".join(addrs) + "\n\n")
    check("addresses from stdin", r.stdout == direct.stdout and r.returncode == 0, r)
    r = run("lookup", "--table", out, "-", text="1.1.1.1\nx\n2.2.2.2")
    check("one bad line of many", r.returncode == 1 and len(r.stdout.splitlines()) == 2, r)
    r = run("lookup", "--json", "--table", out, "202.96.128.86")
    check("json", json.loads(r.stdout) == {"address": "202.96.128.86", "group": "CN/GD/telecom", "scope": 18}, r)
    s = json.loads(run("stats", "--json", "--table", out).stdout)
    check("stats", s["groups"] == 94 and s["v4_country"] == s["v4_isp"] > 10**7, s)
    with open(out, "r+b") as f:
        f.seek(5000)
        f.write(b"x")
    refuses("a damaged file", 1, "checksum", "stats", "--table", out)


def source_rows(tmp):
    """The table against the rows that the database was made of."""
    out = os.path.join(tmp, "world.table")
    r = run("build", "--db", WORLD, "--out", out)
    check("build of the world", r.returncode == 0, r)
    want = {}
    dice = random.Random(1)
    with gzip.open(os.path.join(DATA, "cn_v4_province_city_isp.csv.gz"), "rt") as f:
        for row in dice.sample(list(csv.DictReader(f)), 2300):
            lo, hi = (int(ipaddress.ip_address(row[k])) for k in ("start", "end"))
            parts = [row["country"], row["subdivision"][3:], ISP.get(row["isp"], "")]
            if not parts[2]:
                continue  # the database has AS numbers besides, so the carrier may be known
            name = "/".join(p or "-" for p in parts)
            for a in (lo, hi, dice.randint(lo, hi)):
                want[str(ipaddress.ip_address(a))] = name
    want.update({"202.96.128.86": "CN/GD/telecom", "114.213.171.205": "CN/AH/cernet", "8.8.8.8": "US",
                 "240e:3b7::1": "CN/-/telecom", "127.0.0.1": "default"})
    wrong = 0
    rows = run("lookup", "--table", out, "-", text="\n".join(want)).stdout.splitlines()
    for line in rows:
        addr, group, scope = line.split("\t")
        bits = ipaddress.ip_address(addr).max_prefixlen
        wrong += group != want[addr] or not 0 <= int(scope) <= bits
    check("rows of the source", len(rows) == len(want) > 5000 and wrong == 0, "%d of %d wrong" % (wrong, len(want)))
    # the shipped corrections say what the database says
    with_nets = json.loads(run("stats", "--json", "--db", WORLD, "--overrides", NETS).stdout)
    alone = json.loads(run("stats", "--json", "--table", out).stdout)
    check("nets.csv agrees", with_nets == alone, (with_nets, alone))


with tempfile.TemporaryDirectory() as tmp:
    arguments(tmp)
    table_file(tmp)
    if os.path.exists(WORLD):
        source_rows(tmp)
    else:
        print("skipped: %s is absent" % WORLD)
sys.exit(1 if failed else 0)
