#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Posts of /v1/qos beside a bare libmicrohttpd handler that throws its body away: requests per second, and per
second of the server's CPU time (all of its threads), which others on the machine do not change. The two take
turns in the same run; the medians are compared: single posts, whose aim is 0.7 of the bare handler, and
batches of 100, whose aim is 400 000 items."""
import os
import statistics
import subprocess
import sys
import tempfile

BUILD = os.environ.get("top_builddir", ".")
ROUNDS, SECONDS, CONNECTIONS, AIM, AIM_ITEMS = 5, 3, 32, 0.7, 400000
SESSIONS, ITEMS = 100000, 100
REPORT = """wrk.method = "POST"
local function report(id)
  return string.format('{"session":"5f0c8a3e-%%08x","user":"u-%%010u","stream":"live/room-%%03u",' ..
    '"vendor":"alpha","node":"edge-%%02u","definition":"fhd","client_kind":"android","ok":true,"first_frame_ms":%%u.5,' ..
    '"bitrate_kbps":3500,"cache_hit":true,"ip":"10.1.%%u.%%u"}', id, id, id %% 500, id %% 40, 200 + id %% 900, id / 250 %% 250, 1 + id %% 250)
end
local n = 0
""".replace("%%", "%")
SINGLE = REPORT + """request = function()
  n = n + 1
  return wrk.format(nil, "/v1/qos", nil, report(n % 50000))
end
"""
BATCHES = REPORT + """local body = {}
init = function(args)
  for b = 0, BODIES - 1 do
    local r = {}
    for i = 1, ITEMS do r[i] = report(b * ITEMS + i) end
    body[b] = wrk.format(nil, "/v1/qos", nil, '{"reports":[' .. table.concat(r, ",") .. ']}')
  end
end
request = function()
  n = n + 1
  return body[n % BODIES]
end
""".replace("BODIES", str(SESSIONS // ITEMS)).replace("ITEMS", str(ITEMS))


class Server:
    def __init__(self, *words):
        self.p = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split()[1])

    def cpu(self):
        with open("/proc/%d/stat" % self.p.pid, encoding="ascii") as f:
            words = f.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.p.stdin.close()
        self.p.terminate()
        self.p.wait()


def load(server, script):
    """Requests per second, and per second of CPU."""
    before = server.cpu()
    out = subprocess.run(["wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % SECONDS, "-s", script, "http://127.0.0.1:%d/" % server.port],
                         capture_output=True, text=True, check=True).stdout
    used = server.cpu() - before
    words = out.split()
    n = int(words[words.index("requests") - 1])
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    return n / SECONDS, n / used


def take_turns(servers, script, rounds, what, unit, times):
    """Medians of what each server did per second of CPU."""
    seen = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            seen[name].append(load(server, script))
    per_cpu = {}
    for name, runs in seen.items():
        rate, per_cpu[name] = (times * statistics.median(r[i] for r in runs) for i in (0, 1))
        print("%-44s %10.0f %s/s %10.0f per second of CPU" % (what + ": " + name, rate, unit, per_cpu[name]))
    return per_cpu


def main():
    with tempfile.TemporaryDirectory() as folder:
        scripts = []
        for i, text in enumerate((SINGLE, BATCHES)):
            scripts.append(os.path.join(folder, "post%d.lua" % i))
            with open(scripts[i], "w", encoding="ascii") as f:
                f.write(text)
        servers = {"bare libmicrohttpd": Server(os.path.join(BUILD, "tests/bench/bare_mhd")),
                   "/v1/qos": Server(os.path.join(BUILD, "tests/func/collect_server"), os.path.join(folder, "facts"), "1", "1000")}
        try:
            per_cpu = take_turns(servers, scripts[0], ROUNDS, "single posts", "posts", 1)
            items = take_turns({"/v1/qos": servers["/v1/qos"]}, scripts[1], ROUNDS, "batches of %d" % ITEMS, "items", ITEMS)
        finally:
            for server in servers.values():
                server.stop()
    ratio = per_cpu["/v1/qos"] / per_cpu["bare libmicrohttpd"]
    print("%-44s %10.2f (aim %.1f)" % ("ratio of single posts", ratio, AIM))
    sys.exit(0 if ratio >= AIM and items["/v1/qos"] >= AIM_ITEMS else 1)


main()
