#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each header compiles alone, with nothing before it but config.h."""
import concurrent.futures
import os
import re
import shlex
import subprocess

import lint

CC = shlex.split(os.environ.get("CC") or "gcc")
FLAGS = ["-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-include", "config.h", "-x", "c",
         "-I" + lint.BUILD, "-I" + lint.TOP + "/src", "-I" + lint.TOP, "-I" + lint.TOP + "/tests/unit"]


def alone(text):
    """The compiler's first complaint about this text, or None."""
    r = subprocess.run(CC + FLAGS + ["-"], input=text, text=True, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if r.returncode == 0:
        return None
    lines = [x for x in r.stderr.split("\n") if "error" in x] or r.stderr.split("\n")
    return lines[0]


if not os.path.exists(lint.BUILD + "/config.h"):
    lint.say(lint.BUILD, 0, "config.h is missing: configure first")
    lint.done()
if alone("#include <stddef.h>\nsize_t x;\n") or not alone("size_t x;\n"):
    lint.say("self-test", 0, "cannot tell a header that needs another before it")

headers = [p for p in lint.files(".h", roots=lint.C_ROOTS) if not p.startswith("tests/unit/test.h")]
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    results = pool.map(lambda p: alone('#include "%s"\n' % os.path.join(lint.TOP, p)), headers)
    for path, complaint in zip(headers, results):
        if complaint:
            m = re.match(r".*?:(\d+):\d+: (.*)", complaint)
            lint.say(path, int(m.group(1)) if m else 1, "does not compile alone: " + complaint)
lint.done()
