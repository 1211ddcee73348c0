#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Players of the npm registry, unmodified, in headless Chromium: hls.js (HLS), dash.js (DASH), video.js (HLS) play a
live stream from two local vendors and are steered by a real daemon. Long; needs the packages of group long and, the
first time in a build folder, the npm registry."""
import collections
import functools
import http.client
import http.server
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from sluice import BUILD, LONG, TOP, Sluice, free_port, run, wait_for

PLAYERS = ("hlsjs", "dashjs", "videojs")
TTL = 10      # when calm: ten times refresh_s
SEGMENT = 2   # seconds
FOLLOWS = TTL + 3 * SEGMENT + 3  # the next manifest, a tick, and the segments under way
WORK = os.path.abspath(os.path.join(BUILD, "browser"))

NAMES = ("alpha", "beta", "gamma")  # by id in the catalogue; gamma joins later, at the address of alpha
GAMMA = "      - {vendor: gamma, cname: gamma.localhost., play_port: %d, https: false}\n"
CATALOG = """vendors:
  - {name: alpha, guaranteed_mbps: 1000, max_mbps: 2000}
  - {name: beta, guaranteed_mbps: 1000, max_mbps: 2000}
  - {name: gamma, guaranteed_mbps: 1000, max_mbps: 2000}
services:
  - name: live
    hosts: [live.sluice.example]
    refresh_s: 1
    bitrate_kbps: 300
    vendors:
      - {vendor: alpha, cname: alpha.localhost., play_port: %d, https: false}
      - {vendor: beta, cname: beta.localhost., play_port: %d, https: false}
%s    play:
      - {format: hls, definition: main, path: "/{stream}/media_0.m3u8"}
      - {format: dash, definition: main, path: "/{stream}/live.mpd"}
zones:
  - {name: sluice.example, file: sluice.example.zone}
"""

NGINX = """daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{
  log_format one '$msec $host$uri';
  access_log {dir}/access.log one;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  types {{ application/vnd.apple.mpegurl m3u8; video/mp4 m4s mp4; }}
  server {{
    listen 127.0.0.1:{port};
    add_header Access-Control-Allow-Origin * always;
    add_header Cache-Control no-store always;
    location ~ ^/hlsjs/(.*)$ {{ mirror /cmcd; alias {media}/$1; }}
    location ~ ^/\\w+/(.*)$ {{ alias {media}/$1; }}
    location = /cmcd {{ internal; access_log off; proxy_pass http://127.0.0.1:{reports}/v1/cmcd?vendor={name}&$args; }}
  }}
}}
"""


class Vendor:
    """nginx over the one folder of the stream. What hls.js tells of itself in its requests (CMCD 1) the vendor hands
    on to the collector, with its name."""

    def __init__(self, name, port, folder, media, reports):
        self.dir = os.path.join(folder, name)
        os.mkdir(self.dir)
        self.conf = os.path.join(self.dir, "nginx.conf")
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(NGINX.format(dir=self.dir, port=port, media=media, reports=reports, name=name))
        self.port, self.process = port, None
        self.start()

    def start(self):
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-p", self.dir, "-c", self.conf], stderr=subprocess.DEVNULL)
        wait_for("nginx", lambda: answers(self.port))

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
        self.process = None


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Stream:
    """A live stream of ffmpeg, as HLS and DASH over the same segments."""

    def __init__(self, folder):
        self.media = os.path.join(folder, "media")
        os.mkdir(self.media)
        self.process = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=256x144:rate=10",
             "-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-b:v", "200k",
             "-g", str(10 * SEGMENT), "-keyint_min", str(10 * SEGMENT), "-sc_threshold", "0", "-f", "dash",
             "-seg_duration", str(SEGMENT), "-window_size", "15", "-extra_window_size", "15", "-hls_playlist", "1",
             os.path.join(self.media, "live.mpd")])
        wait_for("some segments", lambda: os.path.exists(os.path.join(self.media, "chunk-stream0-00006.m4s")), 60)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Origin(http.server.SimpleHTTPRequestHandler):
    """The page, the players, and the playlists, with the tags that sluicectl printed."""
    tags, media = {}, ""

    def do_GET(self):  # pylint: disable=invalid-name
        name = self.path.split("?")[0][1:]
        if name in self.tags:
            text = self.tags[name]
            if name.endswith(".mpd"):
                with open(os.path.join(self.media, "live.mpd"), encoding="utf-8") as f:
                    text = re.sub(r"(\n\s*<Period)", lambda m: "\n" + text + m.group(1), f.read(), count=1)
                text = text.replace("<MPD ", '<MPD suggestedPresentationDelay="PT%dS" ' % (4 * SEGMENT), 1)
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)
        else:
            super().do_GET()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class Browser:
    """Headless Chromium by chromedriver: WebDriver over plain HTTP."""

    def __init__(self, folder):
        self.port = free_port()
        self.log = open(os.path.join(folder, "chromedriver.log"), "w", encoding="utf-8")
        self.process = subprocess.Popen(["chromedriver", "--port=%d" % self.port], stdout=self.log, stderr=self.log)
        wait_for("chromedriver", lambda: answers(self.port))
        self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--autoplay-policy=no-user-gesture-required",
                "--user-data-dir=" + os.path.join(folder, "profile")]}}}})["sessionId"]

    def call(self, method, path, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request(method, path, json.dumps(body) if body is not None else None)
        r = json.loads(c.getresponse().read())["value"]
        c.close()
        assert not (isinstance(r, dict) and "error" in r), r
        return r

    def go(self, url):
        self.call("POST", "/session/%s/url" % self.session, {"url": url})

    def run(self, script):
        return self.call("POST", "/session/%s/execute/sync" % self.session, {"script": script, "args": []})

    def console(self):
        return self.call("POST", "/session/%s/se/log" % self.session, {"type": "browser"})

    def stop(self):
        try:
            self.call("DELETE", "/session/%s" % self.session)
        finally:
            self.process.terminate()
            self.process.wait(20)
            self.log.close()


class Others:
    """More viewers in the players' group, who only report: the blacklist wants numbers."""

    def __init__(self, port):
        self.port, self.bad, self.failed = port, None, None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.loop)
        self.thread.start()

    def loop(self):
        sessions = itertools.count()
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            while not self.ended.wait(0.5):
                c.request("POST", "/v1/qos", json.dumps({"reports": [
                    {"session": "other-%d" % next(sessions), "stream": "crowd", "vendor": v, "ip": "192.0.2.%d" % i,
                     "ok": v != self.bad, "bitrate_kbps": 300} for v in NAMES for i in range(1, 16)]}))
                r = c.getresponse()
                assert r.status == 200, r.read()
                r.read()
        except Exception as e:  # pylint: disable=broad-except
            self.failed = e

    def stop(self):
        self.ended.set()
        self.thread.join()


class Stage:
    """Everything that runs, ended in reverse."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="sluice-browser-")
        self.ends = [lambda: shutil.rmtree(self.dir, ignore_errors=True)]
        try:
            self.build()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind and hasattr(self, "browser"):
            for line in self.browser.console()[-40:]:
                sys.stderr.write("%s\n" % line.get("message"))
        while self.ends:
            self.ends.pop()()

    def build(self):
        self.ports = free_port(), free_port()
        self.stream = Stream(self.dir)
        self.ends.append(self.stream.stop)
        self.sluice = Sluice()
        self.sluice.write("catalog.yaml", CATALOG % (*self.ports, ""))
        self.sluice.start()
        self.ends.append(lambda: self.sluice.__exit__(None, None, None))
        self.vendors = {n: Vendor(n, p, self.dir, self.stream.media, self.sluice.reports)
                        for n, p in zip(NAMES, self.ports)}
        for v in self.vendors.values():
            self.ends.append(v.stop)

    def manifest(self, query=""):
        status, body = self.sluice.get("/steer/live?" + query)
        assert status == 200, body
        return body

    def let_gamma_join(self):
        """Behind the back of the playlists, and without a viewer yet."""
        self.sluice.write("catalog.yaml", CATALOG % (*self.ports, GAMMA % self.ports[0]))
        self.sluice.ctl("reload")
        self.sluice.ctl("vendor", "weight", "gamma", "0", "--confirm", "gamma")
        wait_for("a clone without viewers", lambda: "PATHWAY-CLONES" in self.manifest("pathways=alpha,beta") and
                 "gamma" not in self.manifest()["PATHWAY-PRIORITY"])

    def open_page(self):
        """Playlists that begin with the other vendor than the one that is ranked first: who starts on the ranked one
        was steered there."""
        first, other = self.manifest()["PATHWAY-PRIORITY"][:2]
        for player in PLAYERS:
            tags = self.sluice.ctl("steer", "tags", "live", "--stream", player)
            kind, name = ("dash", "mpd") if player == "dashjs" else ("hls", "m3u8")
            assert first in tags[kind]
            text = re.sub(r'(,PATHWAY-ID=|defaultServiceLocation=)"%s"(?!,STABLE)' % first, r'\1"%s"' % other,
                          tags[kind])
            Origin.tags["%s.%s" % (player, name)] = text.replace('BANDWIDTH=300000,', 'BANDWIDTH=300000,CODECS="avc1.42c00b",')
        self.let_gamma_join()
        Origin.media = self.stream.media
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Origin, directory=WORK))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.ends.append(server.shutdown)
        self.browser = Browser(self.dir)
        self.ends.append(self.browser.stop)
        self.browser.go("http://127.0.0.1:%d/page.html?reports=http://127.0.0.1:%d" %
                        (server.server_address[1], self.sluice.reports))
        return first, other

    def state(self):
        s = self.browser.run("return state()")
        for player in PLAYERS:
            assert not s[player]["error"], (player, s[player])
        return s

    def play_on(self, seconds):
        """All of them move on, by nearly as much time as has passed."""
        before = self.state()
        time.sleep(seconds)
        now = self.state()
        for player in PLAYERS:
            played = now[player]["time"] - before[player]["time"]
            assert played > 0.7 * seconds, "%s played %.1f s in %d s" % (player, played, seconds)

    def segments(self, since):
        """How many each player asked each vendor for since a time: {(player, vendor): n}."""
        found = collections.Counter()
        for v in self.vendors.values():
            with open(os.path.join(v.dir, "access.log"), encoding="ascii") as f:
                for when, url in (line.split() for line in f):
                    host, player, name = url.split("/")[:3]
                    if float(when) >= since and name.endswith(".m4s"):
                        found[player, host.split(".")[0]] += 1
        return found

    def on(self, vendor, since):
        """Players whose segments since a time came from this vendor alone, two at least."""
        n = self.segments(since)
        return {p for p in PLAYERS if n[p, vendor] >= 2 and not any(n[p, v] for v in NAMES if v != vendor)}

    def settle(self, what, vendor, seconds):
        """Waits until all of them have been on a vendor alone for two segments' time; how long it took."""
        began = time.time()
        try:
            wait_for(what, lambda: self.on(vendor, max(began, time.time() - 3 * SEGMENT)) == set(PLAYERS), seconds)
        except AssertionError as why:
            raise AssertionError("%s; of late: %s" % (why, self.segments(time.time() - 3 * SEGMENT))) from why
        return time.time() - began


def install_players():
    os.makedirs(WORK, exist_ok=True)
    for name in ("package.json", "package-lock.json", "page.html"):
        shutil.copyfile(os.path.join(TOP, "tests", "browser", name), os.path.join(WORK, name))
    if not os.path.exists(os.path.join(WORK, "node_modules", ".package-lock.json")):
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=WORK, check=True)


def facts(s):
    return s.sluice.ctl("world", "dump", os.path.join(s.sluice.state, "facts.blob"))


def they_report(s, vendor):
    """hls.js by CMCD 1 in its requests, dash.js by the events of CMCD 2."""
    def both():
        f = facts(s)
        return {(x["name"], NAMES[x["vendor"]]) for x in f["streams"] if x["sessions"] and x["kbps"]} == {
            ("hlsjs", vendor), ("dashjs", vendor)}
    wait_for("sessions of both players", both)
    minute = [c for c in facts(s)["cells"] if c["window"] == 0 and c["sessions"]]
    assert len(minute) == 1 and minute[0]["sessions"] == 2 and minute[0]["kbps"] >= 400, minute
    assert minute[0]["pulls_ok"] == 1 and minute[0]["first_frame_us"] > 0, minute  # of dash.js, its msd


def they_stay_for_a_minute(s, vendor, other):
    """While the shares turn round."""
    ctl = s.sluice.ctl
    ctl("vendor", "weight", other, "100", "--confirm", other)
    wait_for("the shares", lambda: sum(
        s.manifest("client=n%d" % i)["PATHWAY-PRIORITY"][0] == other for i in range(20)) >= 18)
    kept = s.sluice.metric("sluice_steer_answers_total", "kept")
    moved = s.sluice.metric("sluice_steer_answers_total", "moved")
    began = time.time()
    s.play_on(60)
    assert s.on(vendor, began) == set(PLAYERS), s.segments(began)
    assert s.sluice.metric("sluice_steer_answers_total", "kept") >= kept + 4 * len(PLAYERS)
    assert s.sluice.metric("sluice_steer_answers_total", "moved") == moved
    assert s.sluice.metric("sluice_steer_throughput_total") >= 4 * len(PLAYERS)
    ctl("vendor", "weight", other, "off", "--confirm", other)


def they_follow_a_drain(s, vendor, other):
    s.sluice.ctl("vendor", "drain", vendor, "--confirm", vendor)
    took = s.settle("all on " + other, other, FOLLOWS + 2 * SEGMENT)
    s.sluice.ctl("vendor", "resume", vendor, "--confirm", vendor)
    began = time.time()
    s.play_on(TTL + 5)
    assert s.on(other, began) == set(PLAYERS), "moved back"
    return took


def they_leave_a_dying_vendor(s, vendor, other):
    """By themselves: three players are too few for the blacklist. dash.js tells of it by CMCD, all by where they
    play from when they ask again."""
    left = s.sluice.metric("sluice_steer_left_total")
    s.vendors[vendor].stop()
    took = s.settle("all on " + other, other, 90)

    def told():
        f = facts(s)
        return sum(c["pulls"] - c["pulls_ok"] for c in f["cells"] if c["window"] == 0 and NAMES[c["vendor"]] == vendor)
    wait_for("failed pulls in the facts", told)
    wait_for("those who left", lambda: s.sluice.metric("sluice_steer_left_total") >= left + 2, 2 * TTL)
    s.vendors[vendor].start()
    began = time.time()
    s.play_on(TTL + 5)
    assert s.on(other, began) == set(PLAYERS), "moved back"
    return took


def they_follow_to_a_clone(s):
    """The vendor that no playlist names."""
    s.sluice.ctl("vendor", "weight", "gamma", "off", "--confirm", "gamma")
    for v in ("alpha", "beta"):
        s.sluice.ctl("vendor", "drain", v, "--confirm", v)
    took = s.settle("all on gamma", "gamma", FOLLOWS + 2 * SEGMENT)
    s.play_on(5)
    return took


def they_follow_the_blacklist(s, vendor, other):
    """The players see nothing wrong with the vendor that others cannot pull from."""
    s.sluice.ctl("vendor", "resume", other, "--confirm", other)
    others = Others(s.sluice.reports)
    try:
        wait_for("their sessions", lambda: any(x["name"] == "crowd" for x in facts(s)["streams"]))
        others.bad = vendor
        took = s.settle("all on " + other, other, 15 + FOLLOWS + 2 * SEGMENT)
        assert [b["vendor"] for b in s.sluice.ctl("blacklist", "list")["breakers"]] == [vendor]
        s.play_on(5)
    finally:
        others.stop()
    assert not others.failed, others.failed
    return took


def steering_is_gone(s, vendor):
    s.sluice.stop()
    assert not answers(s.sluice.http)
    began = time.time()
    s.play_on(2 * TTL + 5)
    assert s.on(vendor, began) == set(PLAYERS)


def players():
    with Stage() as s:
        first, other = s.open_page()
        say = functools.partial(print, flush=True)
        say("start on %s, ranked first: %.1f s" % (first, s.settle("the start", first, 30)))
        they_report(s, first)
        say("hls.js and dash.js report by CMCD")
        they_stay_for_a_minute(s, first, other)
        say("a minute without a move")
        say("all followed a drain: %.1f s" % they_follow_a_drain(s, first, other))
        say("all left a dying vendor: %.1f s" % they_leave_a_dying_vendor(s, other, first))
        say("all followed to a clone: %.1f s" % they_follow_to_a_clone(s))
        say("all followed the blacklist: %.1f s from the first report" % they_follow_the_blacklist(s, "gamma", first))
        steering_is_gone(s, first)
        say("without steering they play on")


if __name__ == "__main__":
    if not LONG:
        print("SKIP: long; SLUICE_LONG=1 runs it")
        sys.exit(77)
    install_players()
    run([players])
