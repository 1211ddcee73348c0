# SPDX-License-Identifier: Apache-2.0
"""Vendors' APIs on loopback, written from their recorded shapes: each checks what it is asked, and
some are slow, page, limit, fail or lie. Nothing of the daemon is used here."""
import base64
import datetime
import hashlib
import hmac
import http.server
import json
import threading
import time
import urllib.parse

SECRET = "s3cret/with+signs"
USER = "AKID-1"


def quote(text):
    return urllib.parse.quote(text, safe="-._~")


def iso(t):
    return datetime.datetime.fromtimestamp(t, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_iso(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(
        tzinfo=datetime.timezone.utc).timestamp()


def beijing(t):
    return (datetime.datetime.fromtimestamp(t, datetime.timezone.utc) +
            datetime.timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")


def from_beijing(text):
    return datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(
        tzinfo=datetime.timezone.utc).timestamp() - 8 * 3600


class Refuse(Exception):
    """status, body, headers"""


def aliyun(rq):
    pairs = urllib.parse.parse_qsl(rq.query, keep_blank_values=True)
    sent = dict(pairs)
    plain = "&".join("%s=%s" % (quote(k), quote(v)) for k, v in sorted(pairs) if k != "Signature")
    mac = hmac.new((SECRET + "&").encode(), ("GET&%2F&" + quote(plain)).encode(), hashlib.sha1)
    if sent["Signature"] != base64.b64encode(mac.digest()).decode():
        raise Refuse(400, {"Code": "SignatureDoesNotMatch"})
    if sent["AccessKeyId"] != USER or sent["DomainName"] != "play.example.com":
        raise Refuse(400, {"Code": "InvalidParameter"})
    if sent["SignatureNonce"] in rq.server.nonces:
        raise Refuse(400, {"Code": "SignatureNonceUsed"})
    rq.server.nonces.add(sent["SignatureNonce"])
    start, end = from_iso(sent["StartTime"]), from_iso(sent["EndTime"])
    if end <= start or abs(from_iso(sent["Timestamp"]) - time.time()) > 60:
        raise Refuse(400, {"Code": "InvalidTimeStamp"})
    step = {"DescribeLiveDomainBpsData": 300}.get(sent["Action"], 60)
    times = range(int(start // step * step), int(end), step)
    if sent["Action"] == "DescribeLiveDomainRealTimeBpsData":
        data = [{"TimeStamp": iso(t), "Value": str(mbps_at(t) * 1000000)} for t in times]
        return {"RealTimeBpsDataPerInterval": {"DataModule": data}, "DomainName": "play.example.com"}
    if sent["Action"] == "DescribeLiveDomainBpsData":
        data = [{"TimeStamp": iso(t), "BpsValue": str(mbps_at(t) * 1e6)} for t in times]
        return {"BpsDataPerInterval": {"DataModule": data}, "DataInterval": "300"}
    if sent["Action"] == "DescribeDomainRealTimeBpsData":
        return {"Data": {"BpsModel": [{"TimeStamp": iso(t), "Bps": mbps_at(t) * 1e6} for t in times]}}
    raise Refuse(404, {"Code": "InvalidAction.NotFound"})


def mbps_at(t):
    """What the vendors of this file claim to have carried in the minute of t."""
    return 1000 + int(t // 60) % 7


def tencent(rq):
    h = rq.headers
    canonical = "POST\n/\n\ncontent-type:application/json\nhost:%s\n\ncontent-type;host\n%s" % (
        h["Host"], hashlib.sha256(rq.body).hexdigest())
    stamp = h["X-TC-Timestamp"]
    date = iso(int(stamp))[:10]
    scope = date + "/live/tc3_request"
    text = "\n".join(("TC3-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = ("TC3" + SECRET).encode()
    for part in (date, "live", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    want = ("TC3-HMAC-SHA256 Credential=%s/%s, SignedHeaders=content-type;host, Signature=%s" %
            (USER, scope, hmac.new(key, text.encode(), hashlib.sha256).hexdigest()))
    if h["Authorization"] != want or h["X-TC-Version"] != "2018-08-01":
        return {"Response": {"Error": {"Code": "AuthFailure.SignatureFailure", "Message": "no"}}}
    body = json.loads(rq.body)
    if body["PlayDomains"] != ["play.example.com"]:
        return {"Response": {"Error": {"Code": "InvalidParameter", "Message": "no"}}}
    start, end = from_beijing(body["StartTime"]), from_beijing(body["EndTime"])
    action = h["X-TC-Action"]
    step = 300 if action == "DescribeBillBandwidthAndFluxList" else 60
    times = range(int(start // step * step), int(end), step)
    if action == "DescribeProvinceIspPlayInfoList":
        rows = [{"Time": beijing(t), "Value": mbps_at(t)} for t in times]
    elif action == "DescribeGroupProIspPlayInfoList":
        rows = [{"ProvinceName": p, "IspName": "China Telecom", "DetailInfoList": [
            {"Time": beijing(t), "Bandwidth": mbps_at(t) / 4, "Flux": 1.0, "Online": 3} for t in times]}
            for p in ("Guangdong", "Hunan", "Fujian", "Jiangsu")]
    else:
        rows = [{"Time": beijing(t), "Bandwidth": mbps_at(t), "Flux": 2.0} for t in times]
    return {"Response": {"DataInfoList": rows, "RequestId": "x"}}


def fastly(rq):
    if rq.headers["Fastly-Key"] != SECRET:
        raise Refuse(403, {"msg": "Provided credentials are missing or invalid"})
    since = int(rq.path.rsplit("/", 1)[1])
    rq.server.cursors.append(since)
    return fastly_records(since or int(time.time()) - 23)


def fastly_records(since):
    now = int(time.time()) - 3
    return {"Data": [{"recorded": t, "aggregated": {"requests": 5, "bandwidth": 100 * 1000000 // 8}}
                     for t in range(since + 1, now + 1)], "Timestamp": max(since, now), "AggregateDelay": 3}


def stuck(rq):
    """As fastly, but gives the same seconds again and again, and at times one that is none behind them."""
    body = fastly_records(int(time.time()) - 30)
    if len(rq.server.times["stuck"]) % 3 == 2:
        body["Data"].append({"recorded": "lately"})
    return body


def paged(rq):
    """A series cut into pages of two points, by token."""
    if rq.headers["Authorization"] != "Bearer " + SECRET:
        raise Refuse(401, {"code": "Unauthorized"})
    first = int(dict(urllib.parse.parse_qsl(rq.query)).get("token") or 0)
    end = int(time.time()) // 10 * 10
    all_times = [end - 10 * i for i in range(9, 0, -1)]
    return {"points": [{"t": t * 1000, "v": 70000} for t in all_times[first:first + 2]],
            "next": str(first + 2) if first + 2 < len(all_times) else ""}


def numbered(rq):
    """Pages by number, and values that belong together: each page holds one part of every time."""
    want = "Basic " + base64.b64encode((USER + ":" + SECRET).encode()).decode()
    if rq.headers["Authorization"] != want:
        raise Refuse(401, {})
    page = int(dict(urllib.parse.parse_qsl(rq.query))["page"])
    end = int(time.time()) // 10 * 10
    return {"pages": 3, "rows": [[end - 10 * i, 10 * page] for i in range(9, 0, -1)]}


def endless(rq):
    page = dict(urllib.parse.parse_qsl(rq.query)).get("token") or "0"
    return {"points": [{"t": time.time(), "v": 1}], "next": str(int(page) + 1)}


def slow(rq):
    time.sleep(2)
    return {"v": 1}


def limited(rq):
    if len(rq.server.times["limited"]) % 2:
        raise Refuse(429, {"Code": "Throttling.User"}, {"Retry-After": "2"})
    return {"v": 5}


def closing(rq):
    if len(rq.server.times["closing"]) == 5:
        raise Refuse(429, {"Code": "Throttling"}, {"Retry-After": "4"})
    return {"v": 5}


def failing(rq):
    raise Refuse(500, {"error": {"code": "internal"}})


def dripping(rq):
    rq.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    rq.wfile.flush()
    time.sleep(2)
    return None


def lying(rq):
    now = int(time.time())
    values = {"negative": -5, "absurd": 1e9, "fine": 50}
    kind = rq.path.rsplit("/", 1)[1]
    if kind == "text":
        return {"v": "a lot"}
    if kind == "future":
        return {"rows": [{"t": now + 86400 * i, "v": 5} for i in range(3)]}
    if kind == "ancient":
        return {"rows": [{"t": now - 86400 * 400, "v": 5}]}
    if kind == "json":
        return "{\"v\": 1"
    if kind == "long":
        return "[" + "1," * (3 << 20)
    if kind == "moved":
        return {"data": {"v": 1}}
    return {"v": values[kind]}


def counter(rq):
    """Octets out of a node, 40 Mbps of a node whose name ends in 1, 80 of the other."""
    rate = 5000000 if rq.path.endswith("1") else 10000000
    return {"zones": {"a/b": {"out": int((time.time() - rq.server.began) * rate)}}}


PATHS = {"aliyun": aliyun, "tencent": tencent, "v1": fastly, "stuck": stuck, "closing": closing, "paged": paged, "numbered": numbered,
         "endless": endless, "slow": slow, "limited": limited, "failing": failing, "dripping": dripping,
         "lying": lying, "counter": counter}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    query = body = ""

    def do_GET(self):
        path, _, self.query = self.path.partition("?")
        name = path.split("/")[1] or self.server.root
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers, status = {}, 200
        with self.server.lock:
            self.server.times.setdefault(name, []).append(time.time())
            self.path = path
        try:
            body = PATHS[name](self)
        except Refuse as why:
            status, body = why.args[0], why.args[1]
            headers = why.args[2] if len(why.args) > 2 else {}
        if body is None:
            self.close_connection = True
            return
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
        try:
            self.send_response(status)
            for k, v in headers.items():
                self.send_header(k, v)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass

    do_POST = do_GET

    def log_message(self, *args):
        pass


class Vendors(http.server.ThreadingHTTPServer):
    """root: the vendor whose API is at /."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, root):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.lock, self.began = root, threading.Lock(), time.time()
        self.nonces, self.cursors, self.times = set(), [], {}
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # a client that has gone

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.shutdown()
        self.server_close()
