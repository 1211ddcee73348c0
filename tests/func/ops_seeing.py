#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What people see besides alerts: the month's bill, sampled decisions, the report of an event; and
the admin API over TLS, with its rate limit."""
import http.client
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import time

from sluice import BUILD, LONG, Sluice, free_port, run, wait_for

tls_port, https_port = free_port(), free_port()
daemon = Sluice(extra="""tick_ms: 200
log: {decisions: 20}
alerts: {doors_s: 1}
http: {certificate: cert.pem, key: key.pem}
admin: {certificate: cert.pem, key: key.pem, rate_per_s: 5, rate_burst: 10}""")
daemon.write("sluice.yaml", daemon.read("sluice.yaml").replace(
    "listen: {", 'listen: {admin_tls: ["127.0.0.1:%d"], https: ["0.0.0.0:%d"], ' % (tls_port, https_port)))


def certificate(name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", daemon.dir + "/key.new", "-out", daemon.dir + "/cert.new"],
                   check=True, capture_output=True)
    os.rename(daemon.dir + "/key.new", daemon.dir + "/key.pem")
    os.rename(daemon.dir + "/cert.new", daemon.dir + "/cert.pem")


def human(*words, **env):
    return subprocess.run([os.path.join(BUILD, "sluicectl"), *words], capture_output=True, text=True, timeout=60,
                          check=False, env={**os.environ, **env})


def subject():
    """The name that the TLS listener shows."""
    pem = ssl.get_server_certificate(("127.0.0.1", tls_port))
    shown = subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, text=True, capture_output=True, check=True)
    return shown.stdout.split("CN = ")[1].strip()


def bill(vendor):
    return daemon.ctl("vendor", "show", vendor)["bills"][0]


def the_month_is_billed_by_what_the_store_has():
    now = bill("alpha")
    own = now["samples"]  # of the case before, in a long run
    assert own <= 1 and now["free_slots_left"] == now["free_slots"] == now["slots"] // 20, now
    assert now["slots"] in (28 * 288, 29 * 288, 30 * 288, 31 * 288), now
    daemon.stop()
    t = time.gmtime()
    start = int(time.mktime((t.tm_year, t.tm_mon, 1, 0, 0, 0, 0, 0, 0)) - time.timezone) * 1000
    db = sqlite3.connect(daemon.state + "/store.db")
    n = min(300, (int(time.time() * 1000) - start) // 300000)
    for i in range(n):  # guaranteed: 8 Tbps; a third of the samples is over it
        db.execute("INSERT INTO mean VALUES('alpha', ?, ?)", (start + i * 300000, 9000000000 if i % 3 == 0 else 1000))
    db.execute("INSERT INTO mean VALUES('alpha', ?, ?)", (start - 300000, 9000000000))  # of the month before
    db.commit()
    db.close()
    daemon.start()
    now = wait_for("the bill", lambda: bill("alpha") if daemon.ctl("vendor", "show")["bills"] else None)
    assert (now["samples"], now["used_slots"]) == (n + own, (n + 2) // 3), (now, n)
    assert now["free_slots_left"] == now["free_slots"] - (n + 2) // 3, now
    assert daemon.metric("sluice_vendor_bill_free_slots_left", 'vendor="alpha"') == now["free_slots_left"]
    assert bill("gamma")["samples"] <= 1


def five_minutes_become_a_sample():
    """In real time, since nothing else shows that it is kept."""
    daemon.ctl("meter", "push", "beta", "4000")
    before = bill("beta")["samples"]

    def grown():
        daemon.ctl("meter", "push", "beta", "4000")
        time.sleep(2)
        return bill("beta")["samples"] == before + 1
    wait_for("a slot that was seen for more than its half", grown, 480)
    db = sqlite3.connect(daemon.state + "/store.db", timeout=60)
    kept = wait_for("the mean in the store", lambda: db.execute(
        "SELECT start_ms, kbps FROM mean WHERE vendor = 'beta'").fetchall())
    db.close()
    assert len(kept) == 1 and kept[0][0] % 300000 == 0 and 3900000 < kept[0][1] <= 4000000, kept


def decisions_are_told_with_their_reasons():
    def told():  # sluiced looks at its own doors too, from elsewhere
        return [line for line in daemon.log().split("\n") if " decision " in line and "group=CN/GD/telecom" in line]
    daemon.tick()

    def ask():
        daemon.resolve(ip="202.96.128.86", client="d%d" % time.monotonic_ns())
        daemon.query("live.sluice.example", ecs=("202.96.128.0", 24))
        return [line for line in told() if "door=http" in line] and [line for line in told() if "door=dns" in line]
    wait_for("decisions of both doors", ask)
    line = [line for line in told() if "door=http" in line][-1]
    for part in (" info control decision ", "service=live", "vendor=", "kind=new", 'reason="by sequence"', "view=1."):
        assert part in line, line
    assert len(told()) < 200 and "202.96" not in line


def an_event_is_reported_whole():
    for _ in range(40):
        daemon.get("/readyz")
    reports = [{"session": "s%d" % i, "stream": "a", "vendor": "alpha", "ok": i % 10 > 0, "first_frame_ms": 420,
                "ip": "202.96.128.86"} for i in range(200)]
    c = http.client.HTTPConnection("127.0.0.1", daemon.reports, timeout=60)
    c.request("POST", "/v1/qos", json.dumps({"reports": reports}))
    assert c.getresponse().status in (200, 202, 204)
    daemon.ctl("vendor", "drain", "gamma", "--for", "1h", "--why", "a | in the reason", "--confirm", "gamma")
    daemon.ctl("plan", "arm", "blacklist", "--vendor", "gamma")
    daemon.write("catalog.yaml", daemon.read("catalog.yaml").replace("max_mbps: 9000000", "max_mbps: lots"))
    daemon.ctl("reload", ok=False)
    daemon.write("catalog.yaml", daemon.read("catalog.yaml").replace("max_mbps: lots", "max_mbps: 9000000"))
    daemon.ctl("reload")
    wait_for("quality", lambda: daemon.metric("sluice_vendor_pull_success_ratio", 'vendor="alpha"'))
    answer = daemon.pids()["answer"]
    os.kill(answer, signal.SIGKILL)
    wait_for("role-fell", lambda: any(a["text"].startswith("role-fell begins") for a in daemon.ctl("export")["alarms"]))
    os.kill(daemon.pids()["control"], signal.SIGKILL)  # at its start it takes a sample
    told = wait_for("quality in the report", lambda: daemon.probe(daemon.admin) and (
        lambda e: e if e["quality"] else None)(daemon.ctl("export")))
    events = [(e["kind"], e["text"]) for e in told["events"]]
    for kind, text in (("process", "answer fell"), ("process", "control fell"), ("config", "refused: "),
                       ("config", "read again"), ("plan", "blacklist is armed")):
        assert any(k == kind and t.startswith(text) for k, t in events), (kind, text, events)
    action = next(a for a in told["actions"] if a["command"] == "vendor drain")
    assert (action["why"], action["who"]) == ("a | in the reason", "uid:%d" % os.getuid()), action
    assert {r["vendor"] for r in told["traffic"]} == {"alpha", "beta", "gamma"}, told["traffic"]
    quality = told["quality"][0]
    assert quality["vendor"] == "alpha" and 85 < quality["mean_success_percent"] < 97, quality
    assert told["from"] < told["to"] <= time.time() + 1
    text = human("--socket", daemon.state + "/admin.sock", "export").stdout
    assert text == told["markdown"] or text.startswith("# Event from 20"), text
    for heading in ("Alarms", "What happened", "What was done", "Traffic", "Quality"):
        assert "\n## " + heading in text, text
    for line in text.split("\n"):  # every table is whole: what is in a cell does not end it
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") in (3, 4, 5), line
    assert "a \\| in the reason" in text
    daemon.ctl("vendor", "resume", "gamma")
    nothing = daemon.ctl("export", "--from", "1", "--to", "2")
    assert not nothing["events"] + nothing["alarms"] + nothing["actions"] + nothing["traffic"], nothing
    assert nothing["markdown"].count("Nothing.") == 5, nothing["markdown"]


def the_busiest_streams_are_shown():
    reports = [{"session": "h%d-%d" % (i, k), "stream": 'room "%d"' % i, "vendor": "beta", "ok": True, "bitrate_kbps": 1000,
                "first_frame_ms": 300, "ip": "202.96.128.86"} for i in range(15) for k in range(i + 1)]
    c = http.client.HTTPConnection("127.0.0.1", daemon.reports, timeout=60)
    c.request("POST", "/v1/qos", json.dumps({"reports": reports}))
    c.getresponse().read()
    wait_for("the busiest one", lambda: daemon.metric("sluice_hot_stream_mbps", r'stream="room \"14\""') == 15)
    assert daemon.metric("sluice_hot_stream_mbps", r'stream="room \"1\""') == 0
    c = http.client.HTTPConnection("127.0.0.1", daemon.admin, timeout=60)
    c.request("GET", "/metrics")
    assert c.getresponse().read().decode().count("\nsluice_hot_stream_mbps{") == 10


def every_door_is_seen_from_outside():
    for door in ("dns-udp", "dns-tcp", "http", "https", "reports"):
        wait_for(door, lambda: daemon.metric("sluice_door_up", 'door="%s"' % door) == 1)  # pylint: disable=cell-var-from-loop
        assert 0 < daemon.metric("sluice_door_seconds", 'door="%s"' % door) < 10
    answers = daemon.metric("sluice_answers_total")
    queries = daemon.metric("sluice_dns_queries_total")
    wait_for("more looks", lambda: daemon.metric("sluice_dns_queries_total") >= queries + 4)
    assert daemon.metric("sluice_answers_total") == answers, "a look is no decision"


def operators_come_over_tls():
    token = open(daemon.state + "/admin.token", encoding="utf-8").read().strip()
    url = "https://localhost:%d" % tls_port
    right = human("--url", url, "--token", token, "--cacert", daemon.dir + "/cert.pem", "--json", "status")
    assert right.returncode == 0 and json.loads(right.stdout)["version"], right
    by_env = human("--json", "status", SLUICE_URL=url, SLUICE_TOKEN=token, SLUICE_CACERT=daemon.dir + "/cert.pem")
    assert by_env.returncode == 0, by_env
    stranger = human("--url", url, "--token", token, "status")
    assert stranger.returncode == 3 and "ertificate" in stranger.stderr, stranger
    wrong = human("--url", url, "--token", "x" * 64, "--cacert", daemon.dir + "/cert.pem", "status")
    assert wrong.returncode == 1, wrong
    plain = socket.create_connection(("127.0.0.1", tls_port), 5)
    plain.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not plain.recv(4096).startswith(b"HTTP/"), "TLS listener speaks in the clear"
    plain.close()


def a_new_certificate_is_taken():
    assert subject() == "first"
    certificate("second")
    wait_for("the new certificate", lambda: subject() == "second")
    daemon.write("cert.pem", "rubbish")
    wait_for("the refusal", lambda: "tls.refused" in daemon.log())
    assert subject() == "second"


def who_calls_too_often_is_held_back():
    def status(client):
        c = http.client.HTTPConnection("127.0.0.1", daemon.admin, timeout=60)
        c.request("GET", "/v1/status", headers={"X-Forwarded-For": client} if client else {})
        return c.getresponse().status
    got = []

    def refused():
        got.append(status("192.0.2.7"))
        return got.count(429) > 5
    wait_for("calls that are held back", refused)
    assert got[0] == 401 and set(got) == {401, 429}, got
    assert status("192.0.2.99") == 401  # another one is not
    assert [status(None) for _ in range(30)].count(429) == 0
    assert daemon.metric("sluice_admin_limited_total") == got.count(429)


def what_the_fence_refuses_is_counted():
    before = daemon.metric("sluice_http_refused_total", 'reason="framing"')
    s = socket.create_connection(("127.0.0.1", daemon.http), 5)
    s.sendall(b"GET /v1/resolve HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
    assert b" 400 " in s.recv(4096).split(b"\r\n")[0]
    wait_for("the counter", lambda: daemon.metric("sluice_http_refused_total", 'reason="framing"') == before + 1)
    kept = socket.create_connection(("127.0.0.1", daemon.http), 5)
    wait_for("the connection", lambda: daemon.metric("sluice_http_connections") >= 1)
    kept.close()
    s.close()


certificate("first")
with daemon:
    run(([five_minutes_become_a_sample] if LONG else []) + [
         the_month_is_billed_by_what_the_store_has, decisions_are_told_with_their_reasons, an_event_is_reported_whole,
         the_busiest_streams_are_shown, every_door_is_seen_from_outside, operators_come_over_tls, a_new_certificate_is_taken, who_calls_too_often_is_held_back,
         what_the_fence_refuses_is_counted])
