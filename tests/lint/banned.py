#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Functions and words of C that nobody here uses, and the few files that may.

src/base/banned.h poisons most of them for the compiler; this also sees macros (alloca), code under
#if, and files that forgot the header.
"""
import re

import lint

# what, why, files that may (a pattern on the path)
ROWS = (
    (r"\b(strcpy|strcat|sprintf|vsprintf|strncpy|strncat|gets|atoi|atol|strtok)\s*\(", "unbounded or unchecked", None),
    (r"\balloca\s*\(", "stack of unknown size", None),
    (r"\b(time|gettimeofday|clock_gettime|clock)\s*\(", "a clock outside base/os.c", r"^src/base/(os|log)\.c$|^tests/func/clock\.c$|^src/store/.*\.def$"),
    (r"\b(rand|srand|random|srandom|drand48|getrandom|arc4random)\s*\(", "a generator outside base/os.c", r"^src/base/os\.c$"),
    (r"\b(system|popen)\s*\(", "a shell", None),
    (r"\b(sleep|usleep)\s*\(", "wait for a condition, not for a time", None),
    (r"\bassert\s*\(", "sl_assert stays on in release", None),
    (r"\b(getenv|secure_getenv)\s*\(", "arguments, not the environment",
     r"^tests/|^src/ctl/|^src/[^/]*\.c$|^tools/|_main\.c$"),
    (r"\b(setjmp|longjmp)\s*\(", "jumps forward only, within a function", r"^tests/unit/"),
    (r"\bsignal\s*\(", "sigaction, with what it means said", None),
    (r"\b(exit|_exit|abort)\s*\(", "a library never ends the process", r"^tests/|^tools/|^src/[^/]*\.c$|^src/ctl/|^src/base/err\.c$|_main\.c$"),
    (r"^\s*#\s*include\s*<alloca\.h>", "stack of unknown size", None),
)


def banned(path, text):
    found = []
    for i, line in enumerate(lint.code(text).split("\n"), 1):
        for pattern, why, may in ROWS:
            m = re.search(pattern, line)
            if m and not (may and re.search(may, path)) and "#pragma" not in line:
                found.append((i, "%s: %s" % (m.group(0).strip(), why)))
    return found


for call in ("strcpy(a, b)", "alloca(n)", "time(NULL)", "rand()", "system(s)", "sleep(1)", "assert(x)", "exit(1)",
             "getenv(s)", "sprintf (a, b)", "signal(1, f)"):
    lint.caught(banned, "src/answer/x.c", "\t%s;\n" % call)
lint.caught(banned, "src/answer/x.c", "x = strcpy(a, b);\n", '\t/* strcpy() */ say("time()"); os_time(1); sl_assert(x);\n')

lint.over(banned, ".c", ".h", ".def", roots=lint.C_ROOTS)
lint.done()
