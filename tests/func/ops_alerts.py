#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Alerts as their receivers see them: an Alertmanager and a webhook of ours, which also fail."""
import http.server
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
import time

from sluice import LONG, Sluice, free_port, run, wait_for


class Receiver:
    """An HTTP server that keeps what it is sent; status: what it answers; tls: (certificate, key)."""

    def __init__(self, port=0, tls=None):
        self.got, self.status, outer = [], 200, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.status == 200:
                    outer.got.append((self.path, self.headers.get("Authorization"), json.loads(body)))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


am, hook, dead = Receiver(), Receiver(), free_port()
daemon = Sluice(extra="""tick_ms: 200
keys: [{name: pager, file: pager.key}]
alerts:
  targets:
  - {url: "http://127.0.0.1:%d/"}
  - {url: "http://127.0.0.1:%d/hook?x=1", kind: webhook, key: pager, least: critical}
  - {url: "http://127.0.0.1:%d", kind: webhook}
  runbooks: "https://wiki.example/sluice#"
  group_s: 1
  resend_s: 2
  doors_s: 1
  timeout_s: 2""" % (am.port, hook.port, dead), prepare={"pager.key": b"s3cret\n"})


def at_alertmanager(name):
    """The last word on each alert of this name, by labels."""
    last = {}
    for path, _, body in list(am.got):
        assert path == "/api/v2/alerts", path
        for a in body:
            if a["labels"]["alertname"] == name:
                last[json.dumps(a["labels"], sort_keys=True)] = a
    return list(last.values())


def at_hook(name):
    return [body for _, _, body in list(hook.got) if body["groupLabels"]["alertname"] == name]


def seconds(text):
    return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone + float(text[19:-1])


def is_over(a):
    return seconds(a["endsAt"]) <= time.time()


def state(name):
    return [a["state"] for a in daemon.ctl("alert", "list")["alerts"] if a["alert"] == name]


def fill(part):
    for vendor, most in (("alpha", 14), ("beta", 16), ("gamma", 9)):
        daemon.ctl("meter", "push", vendor, str(most * 1000000 * part))
        time.sleep(0.01)  # a meter's window must end later than the last one


def an_alert_arrives_with_what_people_need():
    fill(1.0)
    a = wait_for("refusing at the Alertmanager", lambda: at_alertmanager("SluiceRefusing"))[0]
    assert a["labels"]["severity"] == "critical" and a["labels"]["vendor"] == "none", a
    assert a["labels"]["unit"] == "main" and a["labels"]["service"] in ("live", "drill"), a
    assert a["annotations"]["runbook_url"] == "https://wiki.example/sluice#refusing", a
    assert "nobody has room" in a["annotations"]["summary"], a
    assert seconds(a["startsAt"]) < time.time() < seconds(a["endsAt"]) + 60, a
    body = wait_for("refusing at the webhook", lambda: at_hook("SluiceRefusing"))[0]
    assert (body["version"], body["status"], body["commonLabels"]["severity"]) == ("4", "firing", "critical"), body
    assert {x["labels"]["service"] for x in body["alerts"]} == {"live", "drill"}, body  # one message for both
    path, secret, _ = hook.got[0]
    assert (path, secret) == ("/hook?x=1", "Bearer s3cret"), hook.got[0]
    assert not [b for _, _, b in hook.got if b["commonLabels"]["severity"] != "critical"], "least is critical"


def it_is_said_again_to_an_alertmanager_only():
    before = len(am.got)
    wait_for("it to be said again", lambda: len(am.got) > before + 1)
    assert len(at_hook("SluiceRefusing")) == 1, hook.got


def its_end_arrives():
    fill(0.1)
    wait_for("the end at the Alertmanager", lambda: all(is_over(a) for a in at_alertmanager("SluiceRefusing")))
    body = wait_for("the end at the webhook", lambda: at_hook("SluiceRefusing")[1:])[-1]
    assert body["status"] == "resolved" and all(is_over(a) for a in body["alerts"]), body


def a_receiver_that_fails_is_tried_again():
    am.status = 503
    fill(1.0)
    wait_for("refusing to fire", lambda: "firing" in state("refusing"))
    wait_for("failures", lambda: daemon.metric("sluice_notices_failing", 'target="127.0.0.1:%d"' % am.port) >= 2)
    assert daemon.metric("sluice_notices_waiting", 'target="127.0.0.1:%d"' % am.port) >= 1
    am.status = 200
    wait_for("the alert at last", lambda: any(not is_over(a) for a in at_alertmanager("SluiceRefusing")))
    wait_for("no failures", lambda: daemon.metric("sluice_notices_failing", 'target="127.0.0.1:%d"' % am.port) == 0)


def one_that_is_never_there_is_an_alert_to_the_others():
    wait_for("not-told", lambda: any(a["labels"]["target"] == "127.0.0.1:%d" % dead
                                     for a in at_alertmanager("SluiceNotTold")))
    assert "alert.not_sent" in daemon.log() and "s3cret" not in daemon.log()


def a_receiver_over_tls_has_to_be_vouched_for():
    """One that nobody vouches for gets nothing, is one that cannot be reached, and the others are told of it; with
    cacert, by which a CA of one's own vouches for it, it gets all."""
    folder = tempfile.mkdtemp(prefix="sluice-func-")

    def made(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60, cwd=folder)

    def authority(name):
        made("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=" + name,
             "-out", name + ".pem", "-keyout", name + ".key")
    authority("ours")
    authority("other")
    made("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-out", "csr.pem", "-keyout", "key.pem")
    with open(folder + "/ext", "w", encoding="utf-8") as f:
        f.write("subjectAltName=IP:127.0.0.1\n")
    made("x509", "-req", "-in", "csr.pem", "-CA", "ours.pem", "-CAkey", "ours.key", "-CAcreateserial", "-days", "1",
         "-extfile", "ext", "-out", "cert.pem")
    secret = Receiver(tls=[os.path.join(folder, n) for n in ("cert.pem", "key.pem")])
    name = "127.0.0.1:%d" % secret.port
    before = daemon.read("sluice.yaml")

    def told_of_it():
        return [a for a in at_alertmanager("SluiceNotTold") if a["labels"]["target"] == name]

    def refused():
        failed = daemon.metric("sluice_notices_total", 'target="%s",result="failed"' % name)
        wait_for("another refusal", lambda: daemon.metric(
            "sluice_notices_total", 'target="%s",result="failed"' % name) > failed, 60)
        assert secret.got == []
    try:
        for cacert in ("", ', cacert: "other.pem"', ', cacert: "none.pem"', ', cacert: "ours.pem"'):
            daemon.write_octets("other.pem", open(folder + "/other.pem", "rb").read())
            daemon.write_octets("ours.pem", open(folder + "/ours.pem", "rb").read())
            daemon.write("sluice.yaml", before.replace('"http://127.0.0.1:%d", kind' % dead, '"https://%s"%s, kind'
                                                       % (name, cacert)))
            daemon.ctl("reload")
            if "ours" not in cacert:
                refused()
        assert "certificate" in daemon.log()
        wait_for("what fires", lambda: secret.got, 90)  # it is tried again after a minute at most
        wait_for("the end of its being unreachable", lambda: all(is_over(a) for a in told_of_it()))
        assert told_of_it(), "the others were told"
    finally:
        daemon.write("sluice.yaml", before)
        daemon.ctl("reload")
        secret.close()
        shutil.rmtree(folder)


def a_silent_alert_is_not_sent():
    fill(0.1)
    wait_for("the end at the webhook", lambda: at_hook("SluiceRefusing")[-1]["status"] == "resolved")
    told = len(at_hook("SluiceRefusing"))
    daemon.ctl("alert", "silence", "refusing", "--for", "1h")
    fill(1.0)
    wait_for("refusing, silently", lambda: "silent" in state("refusing"))
    fill(0.1)
    wait_for("its end", lambda: state("refusing") == [])
    daemon.ctl("alert", "silence", "refusing", "--for", "0")
    assert len(at_hook("SluiceRefusing")) == told, hook.got


def one_cause_alerts_once():
    """Without the answer process its doors, its worlds and its age are all bad: one alert."""
    import os
    import signal
    am.got.clear()
    supervisor, answer = daemon.process.pid, daemon.pids()["answer"]
    os.kill(supervisor, signal.SIGSTOP)  # so that it stays dead
    os.kill(answer, signal.SIGKILL)
    try:
        wait_for("no-answer-workers", lambda: at_alertmanager("SluiceNoAnswerWorkers"))
        wait_for("the doors to be seen down", lambda: daemon.metric("sluice_door_up", 'plane="answer"') == 0, 30)
        wait_for("the doors to be held back", lambda: "held" in state("door-down"))
        assert "firing" not in state("door-down") + state("answer-hung") + state("answer-behind")
        assert not at_alertmanager("SluiceDoorDown") and not at_alertmanager("SluiceAnswerHung")
    finally:
        os.kill(supervisor, signal.SIGCONT)
    wait_for("its end", lambda: all(is_over(a) for a in at_alertmanager("SluiceNoAnswerWorkers")))
    wait_for("doors up", lambda: daemon.metric("sluice_door_up", 'plane="answer"') == 3)
    wait_for("role-fell", lambda: "firing" in state("role-fell"))
    assert daemon.metric("sluice_role_falls_total", 'role="answer"') == 1


def a_bad_reload_is_alarmed_until_a_good_one():
    good = daemon.read("catalog.yaml")
    daemon.write("catalog.yaml", good.replace("max_mbps: 9000000", "max_mbps: lots"))
    assert daemon.ctl("reload", ok=False)[0] == 1
    wait_for("config-refused", lambda: at_alertmanager("SluiceConfigRefused"))
    daemon.write("catalog.yaml", good)
    daemon.ctl("reload")
    wait_for("its end", lambda: all(is_over(a) for a in at_alertmanager("SluiceConfigRefused")))


def a_reload_changes_who_is_told():
    late = Receiver()
    text = daemon.read("sluice.yaml").replace('"http://127.0.0.1:%d"' % dead, '"http://127.0.0.1:%d"' % late.port)
    daemon.write("sluice.yaml", text)
    daemon.ctl("reload")
    fill(1.0)
    wait_for("an alert at the new one", lambda: [b for _, _, b in late.got if b["status"] == "firing"])
    late.close()


def a_reload_that_changes_receivers_loses_no_end():
    """One that stays is told the end of what it was told, once, wherever it stands; a new one what fires, once."""
    first, second = Receiver(), Receiver()
    before, good = daemon.read("sluice.yaml"), daemon.read("catalog.yaml")

    def send_to(*receivers):
        lines = "".join('\n  - {url: "http://127.0.0.1:%d", kind: webhook}' % r.port for r in receivers)
        daemon.write("sluice.yaml", before.replace("targets:", "targets:" + lines))

    def told(receiver, name):
        return [body["status"] for _, _, body in list(receiver.got) if body["groupLabels"]["alertname"] == name]

    try:
        send_to(first)
        daemon.ctl("reload")
        wait_for("the first to know what goes on", lambda: told(first, "SluiceRoleFell"))  # ten minutes from its cause
        daemon.write("catalog.yaml", good.replace("max_mbps: 9000000", "max_mbps: lots"))
        assert daemon.ctl("reload", ok=False)[0] == 1
        wait_for("config-refused", lambda: told(first, "SluiceConfigRefused"))
        daemon.write("catalog.yaml", good)
        send_to(second, first)
        daemon.ctl("reload")  # ends it
        wait_for("its end", lambda: told(first, "SluiceConfigRefused")[-1] == "resolved")
        wait_for("the second to know what goes on", lambda: told(second, "SluiceRoleFell"))
        daemon.ctl("alert", "silence", "role-fell", "--for", "1h")
        for r in (first, second):
            wait_for("the end of what went on", lambda r=r: told(r, "SluiceRoleFell")[-1] == "resolved")
            assert told(r, "SluiceRoleFell") == ["firing", "resolved"], r.got
        assert told(first, "SluiceConfigRefused") == ["firing", "resolved"], first.got
        assert told(second, "SluiceConfigRefused") == [], second.got
    finally:
        daemon.ctl("alert", "silence", "role-fell", "--for", "0")
        daemon.write("catalog.yaml", good)
        daemon.write("sluice.yaml", before)
        daemon.ctl("reload")
        first.close()
        second.close()


def between_its_bounds_an_alert_goes_on():
    """vendor-nearly-full: fires over 0.95 for 30 s, ends under 0.9."""
    def full():
        return {a["state"] for a in daemon.ctl("alert", "list")["alerts"] if a["alert"] == "vendor-nearly-full"}
    fill(0.92)
    wait_for("none", lambda: not full())
    daemon.tick()
    assert not full(), "0.92 does not begin it"
    fill(0.96)
    wait_for("pending", lambda: full() == {"pending"})
    wait_for("firing", lambda: full() == {"firing"}, 60)
    fill(0.92)
    time.sleep(3)
    assert full() == {"firing"}, "0.92 does not end it"
    fill(0.85)
    wait_for("its end", lambda: not full())


with daemon:
    run([an_alert_arrives_with_what_people_need, it_is_said_again_to_an_alertmanager_only, its_end_arrives,
         a_receiver_that_fails_is_tried_again, one_that_is_never_there_is_an_alert_to_the_others,
         a_silent_alert_is_not_sent, one_cause_alerts_once, a_bad_reload_is_alarmed_until_a_good_one,
         a_receiver_over_tls_has_to_be_vouched_for, a_reload_changes_who_is_told,
         a_reload_that_changes_receivers_loses_no_end] + ([between_its_bounds_an_alert_goes_on] if LONG else []))
