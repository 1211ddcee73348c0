#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A player gets a URL from /v1/play and plays it: ffprobe, from an edge of this test's own (nginx) that
checks the signature in lua. A forged or an expired URL it cannot play. Needs the packages ffmpeg,
nginx-light and libnginx-mod-http-lua (group long)."""
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from sluice import Sluice, free_port, run, wait_for

KEY, NEXT_KEY = "first secret of alpha", "second secret of alpha"

CATALOG = """
vendors: [{name: alpha, guaranteed_mbps: 8000, max_mbps: 14000}]
signers: [{name: sign-alpha, scheme: wangsu, key: alpha, backup_key: alpha-next}]
services:
  - name: live
    hosts: [live.sluice.example]
    vendors: [{vendor: alpha, cname: live.alpha.example., play_host: 127.0.0.1, play_port: %d, https: false, signer: sign-alpha}]
    play: [{format: flv, definition: hd, path: "/live/{stream}.flv"}]
zones: [{name: sluice.example, file: sluice.example.zone}]
"""

EDGE = """daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.log;
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
events {{ worker_connections 64; }}
http {{
  access_log off; root {dir}/www; types {{ video/x-flv flv; }}
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  server {{
    listen 127.0.0.1:{port};
    location /live/ {{
      access_by_lua_block {{
        local secret, t = ngx.var.arg_wsSecret or "", ngx.var.arg_wsTime or ""
        local path = ngx.re.match(ngx.var.request_uri, "^[^?]*")[0]
        for _, key in ipairs {{"{key}", "{next_key}"}} do
          if ngx.md5(key .. path .. t) == secret and tonumber(t) >= ngx.time() then return end
        end
        return ngx.exit(403)
      }}
    }}
  }}
}}
"""


class Edge:
    def __init__(self, folder):
        self.dir, self.port = os.path.join(folder, "edge"), free_port()
        os.makedirs(os.path.join(self.dir, "www/live"))
        for name in ("cup", "a b", "other"):
            subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=duration=1:size=64x64:rate=10", "-c:v",
                            "flv1", os.path.join(self.dir, "www/live", name + ".flv")], check=True, timeout=60)
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(EDGE.format(dir=self.dir, port=self.port, key=KEY, next_key=NEXT_KEY))
        os.chmod(self.dir, 0o755)
        self.process = subprocess.Popen(["nginx", "-p", self.dir, "-e", self.dir + "/nginx.log", "-c", conf])

    def listens(self):
        assert self.process.poll() is None, open(self.dir + "/nginx.log", encoding="utf-8").read()
        with socket.socket() as c:
            return c.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


def plays(url, *more):
    """Whether ffprobe reads video from it; else what it says."""
    r = subprocess.run(["ffprobe", "-v", "error", *more, "-show_entries", "stream=codec_name,width", "-of", "json", url],
                       capture_output=True, text=True, timeout=60, check=False)
    if r.returncode:
        return r.stderr
    stream = json.loads(r.stdout)["streams"][0]
    return (stream["codec_name"], stream["width"]) == ("flv1", 64)


def url_of(s, stream):
    status, body = s.get("/v1/play?host=live.sluice.example&stream=" + stream)
    assert status == 200, body
    return body["answers"][0]["urls"][0]["url"]


def refuses(url):
    said = plays(url)
    assert said is not True and "403" in said, (url, said)


def signed_at(port, when):
    mac = hashlib.md5(("%s/live/cup.flv%d" % (KEY, when)).encode()).hexdigest()
    return "http://127.0.0.1:%d/live/cup.flv?wsSecret=%s&wsTime=%d" % (port, mac, when)


def a_player_plays():
    s = Sluice(extra="keys: [{name: alpha, file: alpha.key}, {name: alpha-next, file: next.key}]\n")
    s.write("alpha.key", KEY + "\n")
    s.write("next.key", NEXT_KEY + "\n")
    edge = Edge(s.dir)
    try:
        s.write("catalog.yaml", CATALOG % edge.port)
        with s:
            wait_for("the edge", edge.listens)
            url = url_of(s, "cup")
            assert plays(url) is True, (url, plays(url))
            assert plays(url_of(s, "a%20b")) is True
            refuses(url.replace("cup", "other"))
            refuses(url.split("?", 1)[0])
            at = url.index("wsSecret=") + len("wsSecret=")
            refuses(url[:at] + ("0" if url[at] != "0" else "1") + url[at + 1:])
            refuses(url[:-1] + ("0" if url[-1] != "0" else "1"))
            assert plays(signed_at(edge.port, time.time() + 600)) is True
            refuses(signed_at(edge.port, time.time() - 1))
            way = "http://127.0.0.1:%d/live/cup.flv" % s.http
            assert plays(way, "-headers", "Host: live.sluice.example\r\n") is True, "by the redirect"
            s.write("catalog.yaml", (CATALOG % edge.port).replace("alpha-next}", "alpha-next, use_backup: true}"))
            s.ctl("reload")

            def by_the_second_key():
                path, _, when = url_of(s, "cup").partition("?")[2].partition("&wsTime=")
                return path == "wsSecret=" + hashlib.md5(("%s/live/cup.flv%s" % (NEXT_KEY, when)).encode()).hexdigest()
            wait_for("the second key", by_the_second_key)
            assert plays(url_of(s, "cup")) is True
            s.write("next.key", "a key that the edge does not know\n")
            s.ctl("reload")
            wait_for("a key unknown to the edge", lambda: plays(url_of(s, "cup")) is not True)
            refuses(url_of(s, "cup"))
    finally:
        edge.stop()


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin"
    if not (shutil.which("ffprobe") and shutil.which("ffmpeg") and shutil.which("nginx") and
            os.path.exists("/usr/lib/nginx/modules/ngx_http_lua_module.so")):
        print("ffmpeg, nginx or its lua module is not here (tools/install long)")
        sys.exit(77)
    run([a_player_plays])
