#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""DNS over HTTPS with clients of others. curl asks at our own TLS listener and through nginx; kdig and
dig, which insist on HTTP/2, through nginx; dnsdist asks over HTTPS for unbound, which does not do so
itself. What every client gets is what DNS gives. Programs that are not installed are skipped, with a
word."""
import base64
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from sluice import Sluice, free_port, run, wait_for

NAME = "dns.example"
HOST = "drill.sluice.example"
TYPE = {"Content-Type": "application/dns-message"}

NGINX = """daemon off; master_process off; worker_processes 1; pid %(dir)s/pid; error_log %(dir)s/error;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path %(dir)s/t1; proxy_temp_path %(dir)s/t2; fastcgi_temp_path %(dir)s/t3;
  uwsgi_temp_path %(dir)s/t4; scgi_temp_path %(dir)s/t5;
  upstream sluice { server 127.0.0.1:%(http)d; keepalive 8; }
  server {
    listen 127.0.0.1:%(port)d ssl http2;
    ssl_certificate %(cert)s; ssl_certificate_key %(key)s;
    location / {
      proxy_pass http://sluice; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}
"""

DNSDIST = """setLocal("127.0.0.1:%(port)d")
newServer({address="127.0.0.1:%(front)d", tls="openssl", subjectName="dns.example", dohPath="/dns-query",
           caStore="%(cert)s", validateCertificates=true, healthCheckMode="up", useClientSubnet=false})
setSecurityPollSuffix("")
"""

UNBOUND = """server:
  interface: 127.0.0.1
  port: %(port)d
  username: ""
  chroot: ""
  directory: "%(dir)s"
  pidfile: "%(dir)s/pid"
  use-syslog: no
  do-not-query-localhost: no
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
forward-zone:
  name: "sluice.example"
  forward-addr: 127.0.0.1@%(dns)d
remote-control:
  control-enable: no
"""


class Program:
    """A server of others with a folder and a port of its own."""

    def __init__(self, words, config, **values):
        self.dir = tempfile.mkdtemp(prefix="sluice-doh-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        path = os.path.join(self.dir, "conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(config % dict(values, dir=self.dir, port=self.port))
        self.log = open(os.path.join(self.dir, "log"), "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen([w.replace("CONF", path) for w in words], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def wait(self, ready):
        try:
            wait_for("a server", lambda: self.process.poll() is None and ready(self.port))
        except AssertionError as why:
            self.log.seek(0)
            raise AssertionError("%s\n%s" % (why, self.log.read())) from why
        return self


def daemon():
    s = Sluice(extra="http: {certificate: cert.pem, key: key.pem}\ndns: {nsid: node-7}\n")
    s.https = free_port()
    s.write("sluice.yaml", s.read("sluice.yaml").replace("listen: {", 'listen: {https: ["127.0.0.1:%d"], ' % s.https))
    s.cert, s.key = os.path.join(s.dir, "cert.pem"), os.path.join(s.dir, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=" + NAME, "-addext", "subjectAltName=DNS:%s,IP:127.0.0.1" % NAME,
                    "-keyout", s.key, "-out", s.cert], check=True, capture_output=True)
    return s


def front(s):
    """nginx before it, with HTTP/2."""
    return Program(["nginx", "-p", "/", "-c", "CONF"], NGINX, http=s.http, cert=s.cert, key=s.key).wait(
        lambda port: speaks_tls(s, port))


def speaks_tls(s, port):
    try:
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=trust(s))
        c.request("GET", "/readyz")
        return c.getresponse().status == 200
    except OSError:
        return False


def trust(s):
    return ssl.create_default_context(cafile=s.cert)


def request(s, method, target, body=None, headers=None):
    c = http.client.HTTPConnection("127.0.0.1", s.http, timeout=60)
    c.request(method, target, body=body, headers=headers or {})
    r = c.getresponse()
    octets = r.read()
    c.close()
    return r, octets


def query(name, kind, **more):
    q = dns.message.make_query(name, kind, use_edns=0, **more)
    q.id = 0
    return q


def over_tcp(s, q):
    """The octets of the answer over DNS."""
    with socket.create_connection(("127.0.0.1", s.dns), timeout=60) as c:
        octets = q.to_wire()
        c.sendall(len(octets).to_bytes(2, "big") + octets)
        f = c.makefile("rb")
        return f.read(int.from_bytes(f.read(2), "big"))


def get(s, q):
    """(reply, its octets)"""
    text = base64.urlsafe_b64encode(q.to_wire()).rstrip(b"=").decode()
    r, octets = request(s, "GET", "/dns-query?dns=" + text)
    assert r.status == 200 and r.getheader("Content-Type") == "application/dns-message", (r.status, octets)
    return r, octets


def addresses(reply):
    return sorted(rr.to_text() for rrset in reply.answer for rr in rrset)


def answers_are_those_of_dns():
    with daemon() as s:
        for name in (HOST, "live.sluice.example", "sluice.example", "big.sluice.example", "no.sluice.example",
                     "elsewhere.example"):
            for kind in ("A", "AAAA", "TXT", "SOA", "HTTPS", "ANY"):
                q = query(name, kind, options=[dns.edns.ECSOption("202.96.128.0", 24)])
                want = over_tcp(s, q)
                r, octets = get(s, q)
                assert octets == want, (name, kind, octets, want)
                posted, octets = request(s, "POST", "/dns-query", q.to_wire(), TYPE)
                assert posted.status == 200 and octets == want
                got = dns.message.from_wire(octets)
                ttls = [rrset.ttl for part in (got.answer, got.authority) for rrset in part]
                assert posted.getheader("Cache-Control") == r.getheader("Cache-Control")
                if got.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) and ttls:
                    kept, = [int(w[8:]) for w in r.getheader("Cache-Control").split(", ") if w.startswith("max-age=")]
                    assert "private" in r.getheader("Cache-Control") and kept <= min(ttls)
                else:
                    assert r.getheader("Cache-Control") == "no-store", got
        _, octets = get(s, query(HOST, "A", options=[dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")]))
        got = dns.message.from_wire(octets)
        assert [o.data for o in got.options if o.otype == dns.edns.OptionType.NSID] == [b"node-7"]
        assert s.metric("sluice_dns_queries_total", 'proto="https"') >= 72


def hostile():
    with daemon() as s:
        good = query(HOST, "A").to_wire()
        for method, target, body, headers, status in (
                ("GET", "/dns-query", None, {}, 400), ("GET", "/dns-query?dns=", None, {}, 400),
                ("GET", "/dns-query?dns=*", None, {}, 400), ("GET", "/dns-query?dns=AAAA", None, {}, 400),
                ("GET", "/dns-query?dns=" + "A" * 4500, None, {}, 414),
                ("POST", "/dns-query", good, {}, 415), ("POST", "/dns-query", good, {"Content-Type": "text/plain"}, 415),
                ("POST", "/dns-query", b"", TYPE, 400), ("POST", "/dns-query", good[:11], TYPE, 400),
                ("POST", "/dns-query", b"x" * 4097, TYPE, 413), ("PUT", "/dns-query", good, TYPE, 405),
                ("GET", "/dns-query?name=" + "a" * 254, None, {}, 400)):
            r, octets = request(s, method, target, body, headers)
            assert r.status == status, (method, target[:60], r.status, octets)
            assert r.getheader("Cache-Control") == "no-store", target
        r, octets = request(s, "POST", "/dns-query", good[:14] + b"\xff" * 4082, TYPE)
        assert r.status == 200 and dns.message.from_wire(octets[:12]).rcode() == dns.rcode.FORMERR
        r, _ = request(s, "GET", "/dns-query?name=" + HOST, None, {"Origin": "https://page.example"})
        assert r.getheader("Access-Control-Allow-Origin") == "*"


def as_json():
    with daemon() as s:
        for target in ("/dns-query?name=%s&type=A&edns_client_subnet=202.96.128.0/24", "/resolve?name=%s&edns_client_subnet=202.96.128.0/24"):
            r, octets = request(s, "GET", target % HOST, None, {"Accept": "application/dns-json"})
            reply = json.loads(octets)
            want = s.query(HOST, ecs=("202.96.128.0", 24))
            assert sorted(a["data"] for a in reply["Answer"]) == addresses(want), reply
            assert reply["Status"] == 0 and reply["Question"] == [{"name": HOST + ".", "type": 1}]
            assert reply["edns_client_subnet"] == "202.96.128.0/24" and r.getheader("Cache-Control") == "private, max-age=20"
            assert r.getheader("Vary") == "Origin"


def curl_doh_url(s, port):
    """curl finds a name over HTTPS and goes there; the address it tries is one of the answer."""
    for patience in ("0.2", "2", "20"):  # it ends by that, whether it has found the name or not
        run = subprocess.run(["curl", "-v", "-4", "--cacert", s.cert, "--doh-url", "https://127.0.0.1:%d/dns-query" % port,
                              "--connect-timeout", patience, "-m", "60", "http://%s:9/" % HOST], capture_output=True,
                             text=True, check=False)
        found = [line.split()[-1] for line in run.stderr.split("\n") if line.startswith("* DoH A: ")]
        if found:
            break
    assert sorted(found) == addresses(s.query(HOST)), run.stderr


def curl_at_our_own_listener():
    with daemon() as s:
        curl_doh_url(s, s.https)


def through_nginx():
    with daemon() as s, front(s) as f:
        curl_doh_url(s, f.port)
        run = subprocess.run(["curl", "-s", "--http2", "--cacert", s.cert, "-w", "%{http_version}",
                              "https://127.0.0.1:%d/dns-query?name=%s" % (f.port, HOST)], capture_output=True, text=True,
                             check=True)
        assert run.stdout.endswith("}2") and '"Status":0' in run.stdout, run.stdout
        want = addresses(s.query(HOST))
        for words in (["kdig", "@127.0.0.1", "-p", str(f.port), "+https=/dns-query", "+tls-ca=" + s.cert,
                       "+tls-hostname=" + NAME, "+short", HOST, "A"],
                      ["kdig", "@127.0.0.1", "-p", str(f.port), "+https-get", "+https=/dns-query", "+tls-ca=" + s.cert,
                       "+tls-hostname=" + NAME, "+short", HOST, "A"],
                      ["dig", "@127.0.0.1", "-p", str(f.port), "+https=/dns-query", "+tls-ca=" + s.cert,
                       "+tls-hostname=" + NAME, "+short", HOST, "A"]):
            if not shutil.which(words[0]):
                print("skipped: %s is not installed" % words[0])
                continue
            run = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
            assert sorted(run.stdout.split()) == want, (words, run.stdout, run.stderr)
        # whom the front names is who asks
        c = http.client.HTTPConnection("127.0.0.1", s.http, timeout=60)
        c.request("GET", "/dns-query?name=_sluice.%s&type=TXT" % HOST, headers={"X-Forwarded-For": "202.96.128.86"})
        assert "group=CN/GD/telecom" in c.getresponse().read().decode()
        c.close()


def unbound_by_way_of_dnsdist():
    def answers(port):
        try:
            return dns.query.udp(query("ns1.sluice.example", "A"), "127.0.0.1", port=port, timeout=1).answer
        except (dns.exception.DNSException, OSError):
            return None

    with daemon() as s, front(s) as f:
        with Program(["dnsdist", "--supervised", "--disable-syslog", "-C", "CONF"], DNSDIST, front=f.port,
                     cert=s.cert).wait(answers) as d:
            with Program(["unbound", "-d", "-p", "-c", "CONF"], UNBOUND, dns=d.port).wait(answers) as u:
                before = s.metric("sluice_dns_queries_total", 'proto="https"')
                for name, kind in ((HOST, "A"), ("live.sluice.example", "CNAME"), ("sluice.example", "NS"),
                                   ("big.sluice.example", "TXT"), ("no.sluice.example", "A")):
                    want = s.query(name, kind, tcp=True)
                    got = dns.query.tcp(query(name, kind), "127.0.0.1", port=u.port, timeout=60)
                    assert got.rcode() == want.rcode() and addresses(got) == addresses(want), (got, want)
                wait_for("queries over HTTPS", lambda: s.metric("sluice_dns_queries_total", 'proto="https"') >= before + 5)


if __name__ == "__main__":
    cases = [c for c, programs in ((answers_are_those_of_dns, []), (hostile, []), (as_json, []),
                                   (curl_at_our_own_listener, ["curl"]), (through_nginx, ["nginx", "curl"]),
                                   (unbound_by_way_of_dnsdist, ["nginx", "dnsdist", "unbound"]))
             if all(shutil.which(p) for p in programs) or print("skipped: one of %s is not installed" % programs)]
    run(cases)
