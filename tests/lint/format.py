#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every .c and .h is as clang-format (14, by .clang-format) writes it."""
import os
import re
import shutil
import tempfile

import lint

TOOL = shutil.which("clang-format-14") or shutil.which("clang-format")
if not TOOL:
    lint.skip("clang-format is not installed (tools/packages, group test)")
version = re.search(r"version (\d+)", lint.run(TOOL, "--version").stdout)
if not version or version.group(1) != "14":
    lint.skip("this clang-format is not version 14, and each version writes differently")


def unformatted(paths):
    """[(path, line)] of the first place in each file."""
    seen = {}
    out = lint.run(TOOL, "--dry-run", "--style=file:" + os.path.join(lint.TOP, ".clang-format"), *paths).stdout
    for m in re.finditer(r"^(.*?):(\d+):\d+: warning: code should be clang-formatted", out, re.M):
        seen.setdefault(m.group(1), int(m.group(2)))
    return sorted(seen.items())


with tempfile.TemporaryDirectory() as folder:
    for text, bad in (("int  x ;\n", True), ("int x;\n", False)):
        probe = os.path.join(folder, "probe.c")
        with open(probe, "w", encoding="utf-8") as f:
            f.write(text)
        if bool(unformatted([probe])) != bad:
            lint.say("self-test", 0, "wrong about %r" % text)

for path, line in unformatted([os.path.join(lint.TOP, p) for p in lint.files(".c", ".h", roots=lint.C_ROOTS)]):
    lint.say(os.path.relpath(path, lint.TOP), line, "run clang-format -i on this file")
lint.done()
