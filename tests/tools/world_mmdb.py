#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/world-mmdb: a small location database and country lists in, every address looked up again
in what comes out, by a reader of its own, against the plain meaning of the inputs."""
import ipaddress
import os
import struct
import subprocess
import sys
import tempfile

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")

NETWORKS = (  # a network inside another beats it
    ("1.0.0.0/8", 100), ("1.2.0.0/16", 200), ("1.2.3.0/24", 300), ("9.9.9.9/32", 400),
    ("2001:db8::/32", 500), ("2001:db8:1::/48", 600),
)
NAMES = {100: "ONE", 200: "Two & more", 300: "Dr\u00fcben", 400: "ONE", 500: "x" * 300}  # 600 has none
V4 = (("1.2.0.0", "1.2.255.255", "CN"), ("8.0.0.0", "8.0.0.4", "US"), ("9.9.9.0", "9.9.9.255", "??"))
V6 = (("2001:db8::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff", "DE"),)

WANT = (
    ("0.0.0.0", None, None), ("1.0.0.0", None, 100), ("1.1.255.255", None, 100), ("1.2.0.0", "CN", 200),
    ("1.2.3.4", "CN", 300), ("1.2.4.0", "CN", 200), ("1.3.0.0", None, 100), ("2.0.0.0", None, None),
    ("8.0.0.0", "US", None), ("8.0.0.4", "US", None), ("8.0.0.5", None, None), ("9.9.9.8", None, None),
    ("9.9.9.9", None, 400), ("255.255.255.255", None, None), ("::ffff:1.2.3.4", "CN", 300),
    ("2002:102:304::1", "CN", 300), ("2001:db8::1", "DE", 500), ("2001:db8:1::1", None, 600),
    ("2001:db8:2::", None, 500), ("2001:db9::", None, None), ("ffff::", None, None),
)


def location_db(path):
    """A database as libloc's writer lays it out, version 1."""
    nodes, nets, pool = [[0, 0, 0xFFFFFFFF]], b"", b"\0"
    for text, asn in NETWORKS:
        net = ipaddress.ip_network(text)
        addr = int(net.network_address) + (0xFFFF << 32 if net.version == 4 else 0)
        at = 0
        for i in range(net.prefixlen + (96 if net.version == 4 else 0)):
            bit = addr >> (127 - i) & 1
            if not nodes[at][bit]:
                nodes.append([0, 0, 0xFFFFFFFF])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit]
        nodes[at][2] = len(nets) // 12
        nets += struct.pack("!2s2xIH2x", b"ZZ", asn, 0)
    systems = b""
    for asn, name in sorted(NAMES.items()):
        systems += struct.pack("!II", asn, len(pool))
        pool += name.encode() + b"\0"
    tree = b"".join(struct.pack("!3I", *n) for n in nodes)
    parts, at, table = [systems, nets, tree, b"", pool], 4096, []
    for part in parts:
        table += [at, len(part)]
        at += len(part)
    with open(path, "wb") as f:
        f.write((b"LOCDBXX\1" + struct.pack("!Q3I10I", 0, 0, 0, 0, *table)).ljust(4096, b"\0") + b"".join(parts))


class Reader:
    """The MaxMind DB format 2.0, as much of it as there is in such a file."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.d = f.read()
        self.base = self.d.rindex(b"\xab\xcd\xefMaxMind.com") + 14
        self.meta = self.value(self.base)[0]
        self.base = self.meta["node_count"] * 7 + 16

    def value(self, at):
        kind, n = self.d[at] >> 5, self.d[at] & 31
        at += 1
        if kind == 1:
            size = n >> 3
            extra = int.from_bytes(self.d[at:at + size + 1], "big")
            offset = ((n & 7) << 8 * (size + 1) | extra) + (0, 2048, 526336)[size]
            return self.value(self.base + offset)[0], at + size + 1
        if kind == 0:
            kind = 7 + self.d[at]
            at += 1
        if n == 29:
            n, at = 29 + self.d[at], at + 1
        elif n == 30:
            n, at = 285 + int.from_bytes(self.d[at:at + 2], "big"), at + 2
        if kind == 2:
            return self.d[at:at + n].decode(), at + n
        if kind in (5, 6, 9):
            return int.from_bytes(self.d[at:at + n], "big"), at + n
        items = []
        for _ in range(n * (2 if kind == 7 else 1)):
            item, at = self.value(at)
            items.append(item)
        return (dict(zip(items[::2], items[1::2])) if kind == 7 else items), at

    def lookup(self, text):
        ip = ipaddress.ip_address(text)
        node, count = 0, self.meta["node_count"]
        for i in range(128):
            r = self.d[7 * node:7 * node + 7]
            left = (r[3] >> 4) << 24 | int.from_bytes(r[:3], "big")
            right = (r[3] & 15) << 24 | int.from_bytes(r[4:], "big")
            node = right if int(ip) >> (127 - i) & 1 else left
            if node >= count:
                break
        return {} if node == count else self.value(self.base + node - count - 16)[0]


def main():
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, n) for n in ("out.mmdb", "geoip", "geoip6", "location.db")]
        with open(paths[1], "w", encoding="ascii") as f:
            f.write("# comment\n" + "".join("%d,%d,%s\n" % (ipaddress.ip_address(a), ipaddress.ip_address(b), c)
                                            for a, b, c in V4))
        with open(paths[2], "w", encoding="ascii") as f:
            f.write("# comment\n" + "".join("%s,%s,%s\n" % row for row in V6))
        location_db(paths[3])
        subprocess.run([os.path.join(TOP, "tools/world-mmdb")] + paths, check=True)
        with open(paths[0], "rb") as f:
            first = f.read()
        subprocess.run([os.path.join(TOP, "tools/world-mmdb")] + paths, check=True)
        reader = Reader(paths[0])
        if reader.d != first:
            print("the same inputs gave other octets")
            bad += 1
        for text, country, asn in WANT:
            got = reader.lookup(text)
            seen = (got.get("country", {}).get("iso_code"), got.get("autonomous_system_number"),
                    got.get("autonomous_system_organization"))
            if seen != (country, asn, NAMES.get(asn)):
                print("%s: got %s, want %s" % (text, seen, (country, asn, NAMES.get(asn))))
                bad += 1
        with open(paths[3], "r+b") as f:
            f.write(b"LOCDBXX\2")
        if subprocess.run([os.path.join(TOP, "tools/world-mmdb")] + paths, check=False, stderr=subprocess.DEVNULL).returncode == 0:
            print("a database of another version was taken")
            bad += 1
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
