#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""CPU per HTTP request, ours beside yardsticks, interleaved in rounds; `make bench-http`.

  bare     tests/bench/bare_http: an epoll loop with one fixed reply of 560 octets
  resolve  /v1/resolve of a client and an address that are new in every request
  steer    /steer of a player that has been told a vendor and tells its throughput
  aliyun   /ACCOUNT/d of Aliyun's dialect, plain, an address that is new in every request
  doh      /dns-query by GET, a question without a client subnet
  md5      Aliyun's sign_d; hmac, cbc, gcm: /v2/d signed, and sealed on top of that
  nginx    nginx, `return 200` of 560 octets
  lua      nginx with lua that does what resolve does: group by address, vendors by weight, the same JSON

  resolve-tls, nginx-tls   resolve and nginx over TLS 1.3, connection kept
  front-tls   resolve through nginx, which speaks TLS; the CPU of both

Each server has one thread on the first core; the load (sluice-bench) runs on the second. CPU is the
server's own, user and system, as the scheduler counts it. nginx comes from the packages of group
bench-http, or from a folder into which they were unpacked (--root); without it those rows are absent.
"""
import argparse
import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

try:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    Cipher = None

import bench_dns

BUILD = os.path.abspath(os.environ.get("top_builddir") or "build")
RESOLVE = "/v1/resolve?host=live.sluice.example&ip={ip}&client=c{n}"
STEER = ("/steer/live/cup?pathways=alpha,beta,gamma&client=c{n}&_told=beta&ip={ip}"
         "&_HLS_pathway=beta&_HLS_throughput=5000000")
CONNECTIONS = 64
SECRET = "00112233445566778899aabbccddeeff"
DRILL = "drill.sluice.example"
ALIYUN = "/bench/d?host=" + DRILL + "&ip={ip}"
MOST = {"aliyun": 1.8, "doh": 1.8, "steer": 1.8}  # times the bare loop

# The same task over the same data as tests/unit/testworld.c: checks what it is asked, takes the group
# of the address that nginx's geo module found, ranks three vendors by that group's weights, counts the
# dispatch, which the scheduler's ledger needs, and writes the JSON that the door writes. As quick as it
# gets in lua: no JSON library, texts made beforehand, no shared memory as there is one worker.
LUA = """
local vendors = {"alpha", "beta", "gamma"}
local ips = {'"192.0.2.1","192.0.2.2","2001:db8::1","2001:db8::2"',
  '"198.51.100.1","198.51.100.2","2001:db8:1::1","2001:db8:1::2"', '"203.0.113.1","203.0.113.2"'}
local services = {["live.sluice.example"] = {ttl = 20, refresh = 60, weights = {}, counts = {}}}
local text, concat, random, var, null = {}, table.concat, math.random, ngx.var, ngx.null
for i, v in ipairs(vendors) do
  text[i] = '{"vendor":"' .. v .. '","cname":"live.' .. v .. '.example.","ips":[' .. ips[i] .. ']}'
end
for _, group in ipairs {"default", "CN/GD/telecom", "CN/GD/unicom", "US"} do
  for _, s in pairs(services) do
    s.weights[group], s.counts[group] = {500000, 300000, 200000}, {0, 0, 0}
  end
end
local function refuse(status, code)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.print('{"error":{"code":"' .. code .. '"}}')
end
function answer()
  local args = ngx.req.get_uri_args()
  local host, ip, client = args.host, args.ip, args.client
  if type(host) ~= "string" or type(ip) ~= "string" or client and (type(client) ~= "string" or #client > 128) then
    return refuse(400, "bad_request")
  end
  local s = services[host]
  if not s then return refuse(404, "unknown_host") end
  local group = var.place
  if group == "" then return refuse(400, "bad_request") end
  local w, counts = s.weights[group], s.counts[group]
  local at, first = random(0, 999999), 3
  for i = 1, 3 do
    if at < w[i] then first = i break end
    at = at - w[i]
  end
  local second, third = first % 3 + 1, (first + 1) % 3 + 1
  if random(0, w[second] + w[third] - 1) >= w[second] then second, third = third, second end
  counts[first] = counts[first] + 1
  local out = {'{"host":"', host, '","group":"', group, '","ttl":', s.ttl, ',"view":"1.17","answers":[',
    text[first], ",", text[second], ",", text[third], '],"refresh_s":',
    s.refresh - s.refresh / 5 + random(0, s.refresh * 2 / 5), "}"}
  local body = concat(out)
  local header = ngx.header
  header["Content-Type"] = "application/json"
  header["Cache-Control"] = "no-store"
  header["Content-Length"] = #body
  ngx.print(body)
end
"""

CONF = """
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log;
{modules}
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 60s; tcp_nodelay on;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  {lua_http}
  geo $arg_ip $place {{
    default default; 10.1.0.0/16 CN/GD/telecom; 10.2.0.0/16 CN/GD/unicom; 10.3.0.0/16 US;
  }}
  server {{
    listen 127.0.0.1:{port};
    listen 127.0.0.1:{tls} ssl; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
    ssl_protocols TLSv1.3; ssl_session_tickets on;
    location = /fixed {{ default_type application/json; return 200 "{fixed}"; }}
    location = /front {{
      proxy_pass http://sluice/v1/resolve?$args; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
    {lua_server}
  }}
  upstream sluice {{ server 127.0.0.1:{ours}; keepalive 256; keepalive_requests 1000000000; }}
}}
"""


def cpu_ns(pid):
    """Time on a core of all threads of a process, nanoseconds."""
    total = 0
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, tid), encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def doh():
    """The question for an address, as a cache would best ask: id 0."""
    name = b"".join(bytes([len(label)]) + label.encode() for label in DRILL.split("."))
    message = b"\0\0\1\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1"
    return "/dns-query?dns=" + base64.urlsafe_b64encode(message).rstrip(b"=").decode()


def sealed_with(mode, text):
    key, iv = bytes.fromhex(SECRET), bytes(range(16))
    if mode == 2:
        return (iv[:12] + AESGCM(key).encrypt(iv[:12], text, None)).hex()
    text += bytes([16 - len(text) % 16]) * (16 - len(text) % 16)
    e = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return (iv + e.update(text) + e.finalize()).hex()


def dialects(server):
    """Rows of the requests that have to be checked or opened first."""
    until = str(int(time.time()) + 7200)
    rows = [("md5", server, "/bench/sign_d?host=%s&ip={ip}&t=%s&s=%s" % (
        DRILL, until, hashlib.md5(("%s-%s-%s" % (DRILL, SECRET, until)).encode()).hexdigest()))]
    for mode, name in enumerate(("hmac", "cbc", "gcm") if Cipher else ("hmac",)):
        p = {"id": "bench", "m": str(mode), "v": "1.0", "exp": until}
        if mode:
            p["enc"] = sealed_with(mode, json.dumps({"dn": DRILL, "q": "4"}).encode())
        else:
            p.update(dn=DRILL, q="4")
        text = "&".join("%s=%s" % (k, p[k]) for k in sorted(p))
        mac = hmac.new(bytes.fromhex(SECRET), text.encode(), "sha256").hexdigest()
        rows.append((name, server, "/v2/d?%s&s=%s" % (text, mac)))
    return rows


def on_core(core, argv, **kw):
    return subprocess.Popen(["taskset", "-c", str(core)] + argv, **kw)


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A process that prints `ready PORT`."""

    def __init__(self, argv):
        self.p = on_core(0, argv, stdout=subprocess.PIPE, text=True)
        self.port, self.tls = (self.p.stdout.readline().split()[1:] + [0])[:2]

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        self.p.wait(20)


class Nginx(Server):
    def __init__(self, root, folder, ours):  # pylint: disable=super-init-not-called
        import http.client
        self.port, self.tls = free_port(), free_port()
        modules = os.path.join(root, "usr/lib/nginx/modules")
        self.lua = os.path.exists(modules + "/ngx_http_lua_module.so")
        with open(folder + "/answer.lua", "w", encoding="ascii") as f:
            f.write(LUA)
        with open(folder + "/nginx.conf", "w", encoding="ascii") as f:
            f.write(CONF.format(
                dir=folder, port=self.port, tls=self.tls, ours=ours.port, fixed="x" * 390,
                modules="".join("load_module %s/%s.so;\n" % (modules, m)
                                for m in ("ndk_http_module", "ngx_http_lua_module")) if self.lua else "",
                lua_http="lua_package_path '%s/usr/share/lua/5.1/?.lua;;'; init_by_lua_file %s/answer.lua;"
                         % (root, folder) if self.lua else "",
                lua_server="location = /v1/resolve { content_by_lua_block { answer() } }" if self.lua else ""))
        env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(root, "usr/lib/x86_64-linux-gnu"))
        self.p = on_core(0, [os.path.join(root, "usr/sbin/nginx"), "-p", folder, "-c", folder + "/nginx.conf"],
                         env=env, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
                c.request("GET", "/fixed")
                c.getresponse().read()
                return
            except OSError:
                if self.p.poll() is not None:
                    break
                time.sleep(0.05)
        with open(folder + "/error.log", encoding="utf-8") as f:
            sys.exit("nginx does not start: " + f.read())


def certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=bench", "-keyout", folder + "/key.pem", "-out", folder + "/cert.pem"],
                   check=True, capture_output=True)


def load(url, seconds, more=()):
    argv = [BUILD + "/sluice-bench", "--http", url, "--seconds", str(seconds), "--json",
            "--connections", str(CONNECTIONS)] + list(more)
    out = on_core(1, argv, stdout=subprocess.PIPE, text=True).communicate()[0]
    return json.loads(out)


def one(row, seconds, more=()):
    """CPU per request in microseconds of all servers that have a part in it, octets per reply, rate."""
    before = sum(cpu_ns(server.p.pid) for server in row.servers)
    r = load(row.url, seconds, more)
    used = sum(cpu_ns(server.p.pid) for server in row.servers) - before
    if r["errors"] or r["lost"] or not r["answered"]:
        sys.exit("%s: %s" % (row.url, r))
    return used / r["answered"] / 1e3, r["octets"] / r["answered"], r["rate"]


class Row:
    def __init__(self, name, path, *servers, tls=False):
        self.name, self.servers, self.tls = name, servers, tls
        self.url = "%s://127.0.0.1:%s%s" % (("https", servers[0].tls, path) if tls else ("http", servers[0].port, path))


def batch(server, folder, seconds):
    """Decisions a second of one core over HTTP: POST of 1000 requests, two addresses in each result."""
    body = {"host": "drill.sluice.example", "type": "A", "ranked": 1, "fields": "answers,ttl",
            "requests": [{"ip": "10.%d.%d.%d" % (1 + i % 3, i * 7 % 256, i % 256), "client": "viewer-%d" % i}
                         for i in range(1000)]}
    path = os.path.join(folder, "batch.json")
    with open(path, "w", encoding="ascii") as f:
        json.dump(body, f, separators=(",", ":"))
    us, _, _ = one(Row("batch", "/v1/resolve", server), seconds, ["--post", path, "--connections", "4"])
    return 1e9 / us


class Dns(bench_dns.Ours):
    """The answer process of the demo, DNS only."""

    def words(self, _):
        return [BUILD + "/sluiced", "-c", self.write("sluice.yaml", """
catalog: "%s/conf/examples/demo/catalog.yaml"
state: run
listen: {dns: ["127.0.0.1:%d"], http: [], reports: [], admin: []}
threads: {dns: 1, http: 1}
geo: {overrides: "%s/geo/nets.csv"}
""" % (bench_dns.TOP, self.port, bench_dns.TOP))]


def dns_us(folder, seconds):
    dns = Dns(tempfile.mkdtemp(dir=folder), free_port())
    dns.start(None)
    try:
        return dns.measure(seconds, True)[0] / 1e3
    finally:
        dns.stop()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=float, default=2)
    ap.add_argument("--root", default="/", help="where nginx is installed, or was unpacked")
    ap.add_argument("--json", action="store_true")
    a = ap.parse_args()
    folder = tempfile.mkdtemp(prefix="bench-http-")
    servers, rows = [], []
    try:
        certificate(folder)
        bare = Server([BUILD + "/tests/bench/bare_http"])
        servers.append(bare)
        ours = Server([BUILD + "/tests/func/http_server", "0", "1", SECRET, folder + "/cert.pem", folder + "/key.pem"])
        servers.append(ours)
        rows += [Row("bare", RESOLVE, bare), Row("resolve", RESOLVE, ours), Row("steer", STEER, ours),
                 Row("aliyun", ALIYUN, ours), Row("doh", doh(), ours)]
        rows += [Row(name, path, server) for name, server, path in dialects(ours)]
        if os.path.exists(os.path.join(a.root, "usr/sbin/nginx")):
            nginx = Nginx(a.root, folder, ours)
            servers.append(nginx)
            rows.append(Row("nginx", "/fixed", nginx))
            if nginx.lua:
                rows.append(Row("lua", RESOLVE, nginx))
            rows += [Row("resolve-tls", RESOLVE, ours, tls=True), Row("nginx-tls", "/fixed", nginx, tls=True),
                     Row("front-tls", RESOLVE.replace("/v1/resolve", "/front"), nginx, ours, tls=True)]
        else:
            print("nginx is absent: tools/install bench-http", file=sys.stderr)
        figures = {row.name: [] for row in rows}
        closing = {row.name: [] for row in rows}
        for _ in range(a.rounds):
            for row in rows:
                figures[row.name].append(one(row, a.seconds))
        for _ in range((a.rounds + 1) // 2):
            for row in rows:
                closing[row.name].append(one(row, a.seconds, ["--close"]))
        decisions = statistics.median(batch(ours, folder, a.seconds) for _ in range(a.rounds))
        dns = statistics.median(dns_us(folder, a.seconds) for _ in range((a.rounds + 1) // 2))
    finally:
        for s in servers:
            s.stop()
        shutil.rmtree(folder)
    report(rows, figures, closing, decisions, dns, a.json)


def ratio(figures, name, base):
    """Median over the rounds of one row's figure by another's of the same round."""
    return statistics.median(x[0] / y[0] for x, y in zip(figures[name], figures[base]))


def report(rows, figures, closing, decisions, dns, as_json):
    med = {n: statistics.median(x[0] for x in f) for n, f in figures.items()}
    new = {n: statistics.median(x[0] for x in f) for n, f in closing.items()}
    if as_json:
        print(json.dumps({"us": med, "ratio": {n: ratio(figures, n, "bare") for n in med}, "new_us": new,
                          "batch_per_s": decisions, "dns_us": dns}))
        return
    print("%-12s %8s %8s %18s %8s %11s" % ("", "us/req", "x bare", "rounds", "octets", "new conn"))
    for row in rows:
        f = figures[row.name]
        each = [x[0] for x in f]
        print("%-12s %8.2f %8.2f %8.2f to %6.2f %8.0f %8.0f us" %
              (row.name, med[row.name], ratio(figures, row.name, "bare"), min(each), max(each), f[0][1], new[row.name]))
    for name, most in MOST.items():
        times = ratio(figures, name, "bare")
        print("%s: %.2f times the bare loop, at most %.1f wanted%s" % (name, times, most, "" if times <= most else ": MISSED"))
    if "lua" in med:
        print("nginx with lua costs %.2f times what resolve does" % ratio(figures, "lua", "resolve"))
    if "nginx-tls" in med:
        print("resolve over TLS costs %.2f times what nginx does; a new TLS connection %.2f times" %
              (ratio(figures, "resolve-tls", "nginx-tls"), new["resolve-tls"] / new["nginx-tls"]))
    print("batches by POST: %.2f million decisions a second of one core, HTTP and JSON counted" % (decisions / 1e6))
    cores(med, new, decisions, dns)
    sys.stdout.flush()
    on_core(0, [BUILD + "/tests/bench/bench_batch"]).wait()


def cores(med, new, decisions, dns):
    """What ten million first requests in 30 s take, by door."""
    doors = [("resolve, connection kept", med["resolve"]), ("resolve, new connection", new["resolve"])]
    if "front-tls" in med:
        doors += [("resolve, new connection over TLS", new["resolve-tls"]),
                  ("resolve, new connection over TLS to nginx before it", new["front-tls"])]
    doors += [("resolve, batches of 1000", 1e6 / decisions)]
    if dns:
        doors.append(("DNS over UDP", dns))
    print("cores for ten million first requests in 30 s:")
    for name, us in doors:
        print("  %-52s %6.2f" % (name, us * 1e7 / 30e6))


if __name__ == "__main__":
    main()
