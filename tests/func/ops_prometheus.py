#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus and a real Alertmanager (Debian's packages) with what contrib/ ships: /metrics
passes promtool, alerts come both ways, every expression of the dashboard gives data."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

from sluice import LONG, TOP, Sluice, free_port, run, wait_for

TOOLS = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
if not LONG or not all(shutil.which(t) for t in TOOLS):
    print("SKIP: wants SLUICE_LONG=1 and the packages prometheus and prometheus-alertmanager")
    sys.exit(77)

prometheus_port, am_port, hook_port = free_port(), free_port(), free_port()
daemon = Sluice(extra="""tick_ms: 200
alerts: {targets: [{url: "http://127.0.0.1:%d", least: info}], resend_s: 2, doors_s: 1}""" % am_port)
folder = tempfile.mkdtemp(prefix="sluice-func-")
children = []


def shipped(name):
    with open(os.path.join(TOP, "contrib", "prometheus", name), encoding="utf-8") as f:
        return f.read()


def place(name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        f.write(text)


def start(*words):
    with open(folder + "/log", "a", encoding="utf-8") as log:
        children.append(subprocess.Popen(words, stdout=log, stderr=log, cwd=folder))


def get(port, path):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        c.request("GET", path)
        r = c.getresponse()
        return json.loads(r.read()) if r.status == 200 else None
    except (OSError, ValueError):
        return None


def query(expr):
    """Samples of an expression; None when it is refused."""
    answer = get(prometheus_port, "/api/v1/query?query=" + urllib.parse.quote(expr))
    return answer["data"]["result"] if answer and answer["status"] == "success" else None


def at_alertmanager(name, prometheus):
    """Alerts of this name that are active, by sluiced itself or by Prometheus."""
    return [a for a in get(am_port, "/api/v2/alerts") or [] if a["labels"]["alertname"] == name
            and ("instance" in a["labels"]) == prometheus]


def fill(part):
    for vendor, most in (("alpha", 14), ("beta", 16), ("gamma", 9)):
        daemon.ctl("meter", "push", vendor, str(most * 1000000 * part))
        time.sleep(0.01)  # a meter's window must end later than the last one


def what_is_shipped_is_well_formed():
    for words in (["promtool", "check", "rules", os.path.join(TOP, "contrib/prometheus/sluice.rules.yaml")],
                  ["promtool", "check", "config", os.path.join(TOP, "contrib/prometheus/prometheus.yaml")],
                  ["amtool", "check-config", os.path.join(TOP, "contrib/prometheus/alertmanager.yaml")]):
        subprocess.run(words, check=True, capture_output=True, timeout=60)


def metrics_keep_the_conventions():
    c = http.client.HTTPConnection("127.0.0.1", daemon.admin, timeout=60)
    c.request("GET", "/metrics")
    text = c.getresponse().read()
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert checked.returncode == 0 and not checked.stderr, checked.stderr.decode()


def prometheus_and_alertmanager_take_what_is_shipped():
    place("sluice.rules.yaml", shipped("sluice.rules.yaml"))
    place("prometheus.yaml", shipped("prometheus.yaml").replace("interval: 5s", "interval: 1s")
          .replace("127.0.0.1:8055", "127.0.0.1:%d" % daemon.admin).replace("127.0.0.1:9093", "127.0.0.1:%d" % am_port))
    place("alertmanager.yaml", shipped("alertmanager.yaml").replace("127.0.0.1:9094", "127.0.0.1:%d" % hook_port))
    start("prometheus-alertmanager", "--config.file=alertmanager.yaml", "--storage.path=" + folder + "/am",
          "--web.listen-address=127.0.0.1:%d" % am_port, "--cluster.listen-address=")
    start("prometheus", "--config.file=prometheus.yaml", "--storage.tsdb.path=" + folder + "/tsdb",
          "--web.listen-address=127.0.0.1:%d" % prometheus_port)
    wait_for("Alertmanager", lambda: get(am_port, "/api/v2/status"), 60)
    wait_for("a scrape", lambda: [s for s in query('up{job="sluice"}') or [] if s["value"][1] == "1"], 60)
    rules = get(prometheus_port, "/api/v1/rules")["data"]["groups"][0]["rules"]
    assert len(rules) == shipped("sluice.rules.yaml").count("- alert:"), len(rules)
    wait_for("every rule to be evaluated", lambda: all(
        r["health"] == "ok" for r in get(prometheus_port, "/api/v1/rules")["data"]["groups"][0]["rules"]))


def an_alert_of_sluiced_arrives():
    fill(1.0)
    a = wait_for("SluiceRefusing by sluiced", lambda: at_alertmanager("SluiceRefusing", False))[0]
    assert a["labels"]["unit"] == "main" and a["annotations"]["runbook_url"] == "docs/alerts.md#refusing", a
    assert a["status"]["state"] in ("active", "unprocessed"), a


def an_alert_of_scraped_metrics_arrives():
    a = wait_for("SluiceRefusing by Prometheus", lambda: at_alertmanager("SluiceRefusing", True), 60)[0]
    assert a["labels"]["job"] == "sluice" and a["annotations"]["runbook_url"] == "docs/alerts.md#refusing", a


def every_expression_of_the_dashboard_gives_data():
    with open(os.path.join(TOP, "contrib", "grafana", "sluice.json"), encoding="utf-8") as f:
        panels = json.load(f)["panels"]
    reports = [{"session": "s%d" % i, "stream": "a", "vendor": "alpha", "ok": True, "first_frame_ms": 420,
                "ip": "202.96.128.86"} for i in range(50)]

    def traffic():
        c = http.client.HTTPConnection("127.0.0.1", daemon.reports, timeout=60)
        c.request("POST", "/v1/qos", json.dumps({"reports": reports}))
        c.getresponse().read()
        daemon.get("/v1/resolve?host=live.sluice.example&ip=202.96.128.86&client=c%d" % time.monotonic_ns())
        daemon.query("live.sluice.example", ecs=("202.96.128.0", 24))
    exprs = [t["expr"] for p in panels for t in p["targets"]]
    assert len(exprs) > 20
    left = set(exprs)

    def all_give():
        traffic()
        time.sleep(0.2)
        for expr in list(left):
            result = query(expr)
            assert result is not None, "refused: " + expr
            if result:
                left.discard(expr)
        return not left
    try:
        wait_for("data of every expression", all_give, 60)
    except AssertionError as why:
        raise AssertionError("%s: no data: %s" % (why, left)) from why


def an_alert_ends():
    fill(0.1)
    wait_for("the end of what sluiced said", lambda: not at_alertmanager("SluiceRefusing", False))
    wait_for("the end of what Prometheus said", lambda: not at_alertmanager("SluiceRefusing", True), 60)


def what_control_cannot_say_of_itself_prometheus_says():
    control = daemon.pids()["control"]
    os.kill(control, signal.SIGSTOP)
    try:
        wait_for("SluiceControlGone", lambda: at_alertmanager("SluiceControlGone", True), 90)
    finally:
        os.kill(control, signal.SIGCONT)
    wait_for("its end", lambda: not at_alertmanager("SluiceControlGone", True), 60)


def a_cause_inhibits_its_effects():
    """Without the answer process: what Prometheus says of its doors is held back in Alertmanager."""
    answer = daemon.pids()["answer"]
    os.kill(daemon.process.pid, signal.SIGSTOP)  # so that it stays dead
    os.kill(answer, signal.SIGKILL)
    try:
        wait_for("SluiceNoAnswerWorkers", lambda: at_alertmanager("SluiceNoAnswerWorkers", True), 60)
        wait_for("the doors, suppressed", lambda: at_alertmanager("SluiceDoorDown", True) and all(
            a["status"]["state"] == "suppressed" for a in at_alertmanager("SluiceDoorDown", True)), 60)
        assert not at_alertmanager("SluiceDoorDown", False)
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)


try:
    with daemon:
        run([what_is_shipped_is_well_formed, metrics_keep_the_conventions,
             prometheus_and_alertmanager_take_what_is_shipped, an_alert_of_sluiced_arrives,
             an_alert_of_scraped_metrics_arrives, every_expression_of_the_dashboard_gives_data, an_alert_ends,
             what_control_cannot_say_of_itself_prometheus_says, a_cause_inhibits_its_effects])
finally:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    shutil.rmtree(folder, ignore_errors=True)
