#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The fronts of contrib/, as they are shipped but for ports and paths: nginx and haproxy take their
configuration, speak HTTP/2 and TLS to clients, and tell sluiced who the client is. Needs the packages
nginx-light and haproxy (group long)."""
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from sluice import TOP, Sluice, free_port, run, wait_for

CLIENT = "127.0.0.9"  # in a group of its own, other than 127.0.0.1
SECRET = "key of the app"
NGINX = """daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.log;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  include {dir}/sluice.conf;
}}
"""


def shipped(name, *changes):
    """A file of contrib/ with so many things replaced, each of which must be there."""
    with open(os.path.join(TOP, "contrib", name), encoding="utf-8") as f:
        text = f.read()
    for old, new in changes:
        assert old in text, (name, old)
        text = text.replace(old, new)
    return text


def certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=front", "-addext", "subjectAltName=DNS:front", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    with open(os.path.join(folder, "both.pem"), "w", encoding="ascii") as both:
        for path in (cert, key):
            with open(path, encoding="ascii") as f:
                both.write(f.read())


def daemon():
    s = Sluice(extra="keys: [{name: app, file: app.key}]\naccounts: [{name: app, key: app}]\n")
    with open(os.path.join(TOP, "geo", "nets.csv"), encoding="utf-8") as f:
        s.write("nets.csv", f.read() + "%s/32,CN,SC,unicom,this test\n" % CLIENT)
    s.write("app.key", SECRET)
    text = s.read("sluice.yaml")
    start = text.index('overrides: "') + len('overrides: "')
    s.write("sluice.yaml", text[:start] + "nets.csv" + text[text.index('"', start):])
    return s


def curl(s, port, target, *more, scheme="https", version="--http2"):
    """Status, HTTP version, body of a request that comes from CLIENT."""
    out = subprocess.run(["curl", "-sS", "--max-time", "10", "--interface", CLIENT, version, "--cacert",
                          os.path.join(s.dir, "cert.pem"), "--connect-to", "front:%d:127.0.0.1:%d" % (port, port),
                          "-w", "\n%{http_code} %{http_version} %{redirect_url}", *more,
                          "%s://front:%d%s" % (scheme, port, target)], check=True, capture_output=True, text=True).stdout
    body, _, last = out.rpartition("\n")
    status, seen, *where = last.split(" ")
    return int(status), seen, body, where[0]


def serves(s, tls, plain):
    target = "/v1/resolve?host=live.sluice.example&client=a%20b"
    for port, scheme, version, want in ((tls, "https", "--http2", "2"), (tls, "https", "--http1.1", "1.1"),
                                        (plain, "http", "--http1.1", "1.1")):
        status, seen, body, _ = curl(s, port, target, scheme=scheme, version=version)
        assert status == 200 and seen == want, (status, seen, body)
        assert json.loads(body)["group"] == "CN/SC/unicom", body
    body = curl(s, tls, target, "-H", "X-Forwarded-For: 202.96.128.86")[2]
    assert json.loads(body)["group"] == "CN/SC/unicom", "what a client says of itself counted: " + body
    signed = target + "&account=app&t=%d" % time.time()
    mac = hmac.new(SECRET.encode(), ("GET %s\n" % signed).encode(), hashlib.sha256).hexdigest()
    assert curl(s, tls, signed + "&sign=" + mac)[0] == 200
    assert curl(s, tls, signed + "x&sign=" + mac)[0] == 403
    batch = json.dumps({"host": "live.sluice.example", "requests": [{"client": "c%d" % i} for i in range(1000)]})
    status, _, body, _ = curl(s, tls, "/v1/resolve", "-d", batch)
    assert status == 200 and len(json.loads(body)["results"]) == 1000, status
    status, _, _, where = curl(s, tls, "/live/x.flv?a=b", "-H", "Host: live.sluice.example")
    assert status == 302 and where.endswith("/live/x.flv?a=b"), (status, where)


def behind(argv_check, argv, s, tls, plain):
    check = subprocess.run(argv_check, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr
    with open(os.path.join(s.dir, "front.log"), "w+", encoding="utf-8") as log:
        p = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            def listens():
                with socket.socket() as c:
                    return c.connect_ex(("127.0.0.1", tls)) == 0 and curl(
                        s, tls, "/readyz", version="--http1.1")[0] == 200
            wait_for("the front", listens)
            serves(s, tls, plain)
        finally:
            p.send_signal(signal.SIGTERM)
            p.wait(20)


def nginx():
    tls, plain = free_port(), free_port()
    with daemon() as s:
        certificate(s.dir)
        s.write("sluice.conf", shipped("nginx/sluice.conf", ("127.0.0.1:8053", "127.0.0.1:%d" % s.http),
                                       ("listen 443 ssl", "listen 127.0.0.1:%d ssl" % tls),
                                       ("listen 80 ", "listen 127.0.0.1:%d " % plain), ("/etc/sluice/", s.dir + "/")))
        s.write("nginx.conf", NGINX.format(dir=s.dir))
        argv = ["nginx", "-p", s.dir, "-e", s.dir + "/nginx.log", "-c", s.dir + "/nginx.conf"]
        behind(argv + ["-t"], argv, s, tls, plain)


def haproxy():
    tls, plain = free_port(), free_port()
    with daemon() as s:
        certificate(s.dir)
        s.write("haproxy.cfg", shipped("haproxy/haproxy.cfg", ("127.0.0.1:8053", "127.0.0.1:%d" % s.http),
                                       ("bind :443 ssl", "bind 127.0.0.1:%d ssl" % tls),
                                       ("bind :80\n", "bind 127.0.0.1:%d\n" % plain), ("/etc/sluice/", s.dir + "/"),
                                       ("maxconn 200000", "maxconn 200"), ("cachesize 1000000", "cachesize 1000")))
        argv = ["haproxy", "-f", s.dir + "/haproxy.cfg"]
        behind(argv + ["-c"], argv + ["-db"], s, tls, plain)


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin"
    there = [case for case in (nginx, haproxy) if shutil.which(case.__name__)]
    if not there:
        print("neither nginx nor haproxy is here (tools/install long)")
        sys.exit(77)
    run(there)
