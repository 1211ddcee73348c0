#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The shell scripts of tools/: what they refuse, how they count, and that they are quiet about success."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.environ.get("top_srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
TOOLS = os.path.join(TOP, "tools")
bad = 0


def expect(ok, what, got=""):
    global bad
    if not ok:
        print("not so: %s; got: %s" % (what, got))
        bad += 1


def sh(text, top=TOP):
    r = subprocess.run(["bash", "-c", ". '%s/tools/lib.sh'; %s" % (top, text)], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, check=False)
    return r.returncode, r.stdout, r.stderr


def rows():
    build = set()
    with open(os.path.join(TOOLS, "packages"), encoding="utf-8") as f:
        for i, line in enumerate(f, 1):
            line = line.split("#")[0].strip()
            if line.startswith("build "):
                build |= set(line[6:].split("|"))
            expect(not line or re.fullmatch(r"(build|test|long|bench-dns|bench-http|bench-collect|fetch) [a-z0-9.+|-]+", line),
                   "tools/packages:%d is `group package`" % i, line)
    with open(os.path.join(TOP, "configure.ac"), encoding="utf-8") as f:
        for package in re.findall(r"^SL_LIB\(.*\[(\S+)\]\)$", f.read(), re.M):
            expect(package in build, "tools/packages has what configure.ac asks for", package)


def lib(folder):
    code, out, err = sh("quietly '%s/log' echo fine" % folder)
    expect((code, out, err) == (0, "", ""), "quietly says nothing about success", (code, out, err))
    code, out, err = sh("quietly '%s/log' sh -c 'echo why; exit 3'" % folder)
    expect(code == 3 and "why" in err and "3" in err, "quietly shows the log and the status of a failure", err)
    code, out, err = sh("package_rows nothing")
    expect(code != 0 and "nothing" in err, "an unknown group is refused by name", err)

    tree = os.path.join(folder, "a tree")
    os.makedirs(tree + "/tools")
    shutil.copy(TOOLS + "/lib.sh", tree + "/tools")
    with open(tree + "/tools/packages", "w", encoding="utf-8") as f:
        f.write("build no-such-package-a|dpkg  # installed by the second name\nbuild no-such-package-b\ntest dpkg\n"
                "bench-dns no-such-package-c\nbench-http no-such-package-d\nbenches no-such-package-e\n")
    code, out, err = sh("missing_packages build test", tree)
    expect((code, out) == (0, "no-such-package-b\n"), "only what no alternative satisfies is missing", out + err)
    code, out, err = sh("missing_packages bench-dns", tree)
    expect((code, out) == (0, "no-such-package-c\n"), "a group of groups is taken in part", out + err)
    code, out, err = sh("missing_packages bench", tree)
    expect((code, out) == (0, "no-such-package-c\nno-such-package-d\n"), "and whole", out + err)
    first = sh("echo $SL_TOP", tree)[1].strip()
    again = sh("echo $SL_TOP", tree)[1].strip()
    expect(" " not in first and os.path.samefile(first, tree) and first == again,
           "a tree under a path with a space is reached by one link", (first, again))
    os.unlink(first)
    os.rmdir(os.path.dirname(first))


def quickstart(folder):
    def run(*argv):
        r = subprocess.run([TOOLS + "/quickstart", "--dir", folder + "/run"] + list(argv), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False)
        return r.returncode, r.stdout

    for argv, word in ((("--dns", "0"), "--dns"), (("--http", "65536"), "--http"), (("--dns",), "--dns"),
                       (("--geo", "/nothing/there"), "--geo"), (("--nonsense",), "--nonsense"), (("--http", "8054"), "8054")):
        code, out = run(*argv)
        expect(code == 1 and word in out, "quickstart %s is refused by name" % " ".join(argv), out)
    for kind, option in ((socket.SOCK_STREAM, "--http"), (socket.SOCK_DGRAM, "--dns")):
        with socket.socket(socket.AF_INET, kind) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            s.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                s.listen(1)
            port = str(s.getsockname()[1])
            code, out = run(option, port)
            expect(code == 1 and port in out and option in out, "quickstart refuses a port already served", out)


def main():
    rows()
    with tempfile.TemporaryDirectory() as folder:
        lib(folder)
        if all(shutil.which(x) for x in ("dig", "curl", "gcc", "autoconf")):
            quickstart(folder)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
