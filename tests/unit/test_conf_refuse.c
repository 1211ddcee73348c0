/* SPDX-License-Identifier: Apache-2.0 */
/* Every refusal: one change to a valid configuration, and the whole message that it brings; long
 * because each is a row. */
#include "test_conf_base.h"

struct row {
	const char *about, *find, *with, *want;
};

static const struct row sluice_rows[] = {
	{"unknown key", "tick_ms", "tack_ms",
		"sluice.yaml:7: unknown key, got \"tack_ms\", want one of catalog, state, store, "
		"unit, user, listen, threads, dns, http, admin, geo, tick_ms, stale_after_s, "
		"record_minutes, explain, "
		"trusted_proxies, trusted_senders, reports, follow, keys, accounts, "
		"require_signature, "
		"signature_window_s, alerts, log"},
	{"key given twice", NULL, "tick_ms: 600\n",
		"sluice.yaml:11: tick_ms: key given twice, want it once"},
	{"TLS without a certificate", "  http: [\"8053\"]\n",
		"  http: [\"8053\"]\n  https: [\"8443\"]\n",
		"sluice.yaml:5: listen.https: nothing to show clients, got no http.certificate or "
		"no http.key, want both"},
	{"operators in the clear", "  http: [\"8053\"]\n",
		"  http: [\"8053\"]\n  admin: [\"192.0.2.1:8055\"]\n",
		"sluice.yaml:5: listen.admin[0]: tokens would travel in the clear, got "
		"\"192.0.2.1:8055\", want a loopback address; others are for admin_tls"},
	{"operators over TLS without a certificate", "  http: [\"8053\"]\n",
		"  http: [\"8053\"]\n  admin_tls: [\"8056\"]\n",
		"sluice.yaml:5: listen.admin_tls: nothing to show clients, got no "
		"admin.certificate "
		"or no admin.key, want both"},
	{"two keys of one name", NULL, "keys: [{name: k, file: a}, {name: k, file: b}]\n",
		"sluice.yaml:11: keys[1].name: name given twice, got \"k\", want it unique"},
	{"two accounts of one name", NULL,
		"keys: [{name: k, file: a}]\n"
		"accounts: [{name: x, key: k}, {name: x, key: k}]\n",
		"sluice.yaml:12: accounts[1].name: name given twice, got \"x\", want it unique"},
	{"alerts to no URL", NULL, "alerts: {targets: [{url: ftp://x}]}\n",
		"sluice.yaml:11: alerts.targets[0].url: not a URL that alerts can go to, got "
		"\"ftp://x\", want http:// or https://"},
	{"alerts with a key that there is not", NULL,
		"alerts: {targets: [{url: 'http://x', key: k}]}\n",
		"sluice.yaml:11: alerts.targets[0].key: no such key, got \"k\", want a name of "
		"keys"},
	{"account without its key", NULL, "accounts: [{name: x, key: k}]\n",
		"sluice.yaml:11: accounts[0].key: no such key, got \"k\", want a name of keys"},
	{"account without its second key", NULL,
		"keys: [{name: k, file: a}]\naccounts: [{name: x, key: k, backup_key: l}]\n",
		"sluice.yaml:12: accounts[0].backup_key: no such key, got \"l\", want a name of "
		"keys"},
	{"mapping given twice", NULL, "log: {}\n",
		"sluice.yaml:11: log: key given twice, want it once"},
	{"below the least", "500", "99",
		"sluice.yaml:7: tick_ms: out of range, got \"99\", want a whole number from 100 to "
		"10000 ms"},
	{"above the most", "500", "10001",
		"sluice.yaml:7: tick_ms: out of range, got \"10001\", want a whole number from 100 "
		"to 10000 ms"},
	{"a fraction", "500", "500.5",
		"sluice.yaml:7: tick_ms: no number, got \"500.5\", want a whole number from 100 to "
		"10000 ms"},
	{"hexadecimal", "500", "0x200",
		"sluice.yaml:7: tick_ms: no number, got \"0x200\", want a whole number from 100 to "
		"10000 ms"},
	{"octal", "500", "0500",
		"sluice.yaml:7: tick_ms: no number, got \"0500\", want a whole number from 100 to "
		"10000 ms"},
	{"nothing", "500", "",
		"sluice.yaml:7: tick_ms: no number, got nothing, want a whole number from 100 to "
		"10000 ms"},
	{"a list for a value", "500", "[500]",
		"sluice.yaml:7: tick_ms: wrong kind, got a list, want a single value"},
	{"a mapping for a value", "500", "{a: 1}",
		"sluice.yaml:7: tick_ms: wrong kind, got a mapping, want a single value"},
	{"a value for a list", "[\"8053\"]", "8053",
		"sluice.yaml:4: listen.http: wrong kind, got a single value, want a list"},
	{"a value for a mapping", "log:\n  level: warn", "log: warn",
		"sluice.yaml:9: log: wrong kind, got a single value, want a mapping"},
	{"a list for a mapping", "log:\n  level: warn", "log: [warn]",
		"sluice.yaml:9: log: wrong kind, got a list, want a mapping"},
	{"a key that is a list", NULL, "? [a]\n: b\n",
		"sluice.yaml:11: wrong kind, got a list, want a key"},
	{"a word of no list", "warn", "loud",
		"sluice.yaml:10: log.level: unknown word, got \"loud\", want error, warn, info, "
		"debug"},
	{"yes for true", NULL, "explain: yes\n",
		"sluice.yaml:11: explain: unknown word, got \"yes\", want true, false"},
	{"too many threads", "  dns: 2", "  dns: 65",
		"sluice.yaml:6: threads.dns: out of range, got \"65\", want a whole number from 0 "
		"to 64"},
	{"too many threads of both", "  dns: 2", "  dns: 1\n  http: 64",
		"sluice.yaml:5: threads: too many, got 65 of dns and http, want at most 64"},
	{"no port", "8053", "http",
		"sluice.yaml:4: listen.http[0]: bad value, got \"http\", want ADDR:PORT, "
		"[ADDR]:PORT or PORT"},
	{"port 0", "8053", "0",
		"sluice.yaml:4: listen.http[0]: bad value, got \"0\", want ADDR:PORT, [ADDR]:PORT "
		"or PORT"},
	{"host bits in a prefix", "10.0.0.0/8", "10.0.0.1/8",
		"sluice.yaml:8: trusted_proxies[0]: bad value, got \"10.0.0.1/8\", want a prefix "
		"ADDR/LEN with the host bits zero"},
	{"a country that is none", NULL, "geo: {provinces: [China]}\n",
		"sluice.yaml:11: geo.provinces[0]: bad value, got \"China\", want a country as two "
		"capital letters"},
	{"an alias", "500", "*x", "sluice.yaml:7: tick_ms: anchor or alias, want plain values"},
	{"an anchor", "500", "&x 500",
		"sluice.yaml:7: tick_ms: anchor or alias, want plain values"},
	{"a tag", "500", "!!str 500", "sluice.yaml:7: tick_ms: tag, want plain values"},
	{"a second document", NULL, "---\na: b\n", "sluice.yaml:11: a second document, want one"},
	{"a tab for indent", "  dns: 2", "\tdns: 2",
		"sluice.yaml:6: not readable as YAML, found character that cannot start any token"},
	{"bad UTF-8", "500", "\xff",
		"sluice.yaml:7: not readable as YAML, invalid leading UTF-8 octet"},
	{"a quote left open", "[\"8053\"]", "\"80",
		"sluice.yaml:11: not readable as YAML, found unexpected end of stream"},
	{"a terminal's escape is not repeated", "warn", "\"\\e[31m\"",
		"sluice.yaml:10: log.level: unknown word, got \"?[31m\", want error, warn, info, "
		"debug"},
	{"a long value is cut", "warn", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeee",
		"sluice.yaml:10: log.level: unknown word, got "
		"\"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd\"..., want error, warn, info, debug"},
};

#define A_RANGE "want a number from 0 to 1000000000 Mbps"

static const struct row catalog_rows[] = {
	{"a trickle that the allocation would refuse", "    hosts: [live.x.example]\n",
		"    hosts: [live.x.example]\n    scoring: {trickle_ppm: 50001}\n",
		"catalog.yaml:29: services[0].scoring.trickle_ppm: out of range, got \"50001\", "
		"want a whole number from 0 to 50000 ppm"},
	{"groups in letters that none has", "CN/GX/*", "cn/gx/*",
		"catalog.yaml:15: vendors[0].regions[1].groups[0]: bad value, got \"cn/gx/*\", "
		"want "
		"a pattern of group names like CN/GD/*"},
	{"a node in a group that cannot be", "group: CN/GD/telecom", "group: CN/GD/Telecom",
		"catalog.yaml:23: nodes[0].group: bad value, got \"CN/GD/Telecom\", want a group "
		"name like CN/GD/telecom"},
	{"a signer that is not there", "cname: live.a.example\n",
		"cname: live.a.example\n        signer: x\n",
		"catalog.yaml:32: services[0].vendors[0].signer: no such signer, got \"x\", want a "
		"name of signers"},
	{"signers of one name", NULL,
		"signers: [{name: x, scheme: type_a, key: k}, {name: x, scheme: type_b, key: k}]\n",
		"catalog.yaml:44: signers[1].name: name given twice, got \"x\", want it unique"},
	{"a scheme nobody has", NULL, "signers: [{name: x, scheme: type_z, key: k}]\n",
		"catalog.yaml:44: signers[0].scheme: unknown word, got \"type_z\", want type_a, "
		"tencent_a, type_b, type_c, type_c_query, type_d, tencent_live, huawei_live_b, "
		"huawei_live_c, huawei_live_d, volc_live_b, wangsu, qiniu, upyun, akamai, "
		"cloudflare, fastly, bunny, google_media, google_media_ed25519, cloudfront"},
	{"CloudFront without the key's name", NULL,
		"signers: [{name: x, scheme: cloudfront, key: k}]\n",
		"catalog.yaml:44: signers[0].scheme: the vendor's name of the key is missing, want "
		"key_id"},
	{"CloudFront without the second key's name", NULL,
		"signers: [{name: x, scheme: cloudfront, key: k, key_id: K1, backup_key: l, "
		"use_backup: true}]\n",
		"catalog.yaml:44: signers[0].scheme: the vendor's name of the key is missing, want "
		"backup_key_id"},
	{"a play path that is none", "hosts: [live.x.example]\n",
		"hosts: [live.x.example]\n"
		"    play: [{format: flv, definition: hd, path: x}]\n",
		"catalog.yaml:29: services[0].play[0].path: no path, got \"x\", want it to begin "
		"with /"},
	{"an ingest that is no URL", "hosts: [live.x.example]\n",
		"hosts: [live.x.example]\n    ingest: [{name: i, unit: u, url: \"x/y\"}]\n",
		"catalog.yaml:29: services[0].ingest[0].url: no URL, got \"x/y\", want "
		"SCHEME://HOST/PATH"},
	{"ingests of one name", "hosts: [live.x.example]\n",
		"hosts: [live.x.example]\n"
		"    ingest: [{name: i, unit: u, url: \"a://b/\"}, {name: i, unit: v, url: "
		"\"a://c/\"}]\n",
		"catalog.yaml:29: services[0].ingest[1].name: name given twice, got \"i\", want it "
		"unique in its service"},
	{"an ingest's signer that is not there", "hosts: [live.x.example]\n",
		"hosts: [live.x.example]\n"
		"    ingest: [{name: i, unit: u, url: \"a://b/\", signer: x}]\n",
		"catalog.yaml:29: services[0].ingest[0].signer: no such signer, got \"x\", want a "
		"name of signers"},
	{"a probe of ingests that is not tcp", "zones:\n",
		"    ingest: [{name: i, unit: u, url: \"rtmp://b/\"}]\n"
		"probes: [{name: p, service: s, kind: flv}]\nzones:\n",
		"catalog.yaml:35: probes[0]: ingests looked at by another protocol, want kind: "
		"tcp"},
	{"a probe of a service where nothing is pushed", NULL,
		"probes: [{name: p, service: s, kind: tcp}]\n",
		"catalog.yaml:44: probes[0].service: nothing is pushed there, got \"s\", want one "
		"of services that has an ingest"},
	{"a redirect in a circle", "cname: live.a.example\n",
		"cname: live.a.example\n        play_host: live.x.example\n",
		"catalog.yaml:32: services[0].vendors[0].play_host: circle, got "
		"\"live.x.example\", want a host that is not scheduled here"},
	{"a stream's ingest that is not there", "    service: s\n",
		"    service: s\n    ingest: i\n",
		"catalog.yaml:40: streams[0].ingest: unknown ingest, got \"i\", want one of "
		"service s"},
	{"unknown key", "max_mbps: 200", "maximum_mbps: 200",
		"catalog.yaml:4: vendors[0]: unknown key, got \"maximum_mbps\", want one of name, "
		"weight, guaranteed_mbps, max_mbps, windows, bill_utc_offset_min, regions, "
		"addresses, meters, harvest, allow_groups, "
		"deny_groups"},
	{"missing key", "    max_mbps: 200\n", "",
		"catalog.yaml:2: vendors[0].max_mbps: missing, got nothing, want it given: "
		"Maximum, "
		"never passed."},
	{"missing list", "zones:\n  - name: x.example\n    file: /dev/null\n", "",
		"catalog.yaml:1: zones: missing, got nothing, want it given: Zones."},
	{"an empty list", "vendors: [a]", "vendors: []",
		"catalog.yaml:40: streams[0].vendors: too few entries, got 0, want at least 1"},
	{"negative", "max_mbps: 200", "max_mbps: -1",
		"catalog.yaml:4: vendors[0].max_mbps: out of range, got \"-1\", " A_RANGE},
	{"not a number", "max_mbps: 200", "max_mbps: .nan",
		"catalog.yaml:4: vendors[0].max_mbps: no number, got \".nan\", " A_RANGE},
	{"NaN in C's words", "max_mbps: 200", "max_mbps: nan",
		"catalog.yaml:4: vendors[0].max_mbps: no number, got \"nan\", " A_RANGE},
	{"infinite", "max_mbps: 200", "max_mbps: inf",
		"catalog.yaml:4: vendors[0].max_mbps: no number, got \"inf\", " A_RANGE},
	{"absurd", "max_mbps: 200", "max_mbps: 1000000001",
		"catalog.yaml:4: vendors[0].max_mbps: out of range, got \"1000000001\", " A_RANGE},
	{"absurd by exponent", "max_mbps: 200", "max_mbps: 1e99",
		"catalog.yaml:4: vendors[0].max_mbps: out of range, got \"1e99\", " A_RANGE},
	{"a unit", "max_mbps: 200", "max_mbps: 200G",
		"catalog.yaml:4: vendors[0].max_mbps: no number, got \"200G\", " A_RANGE},
	{"vendors of one name", "name: b", "name: a",
		"catalog.yaml:18: vendors[1].name: name given twice, got \"a\", want it unique"},
	{"guarantee above maximum", "mbps: 100", "mbps: 201",
		"catalog.yaml:3: vendors[0].guaranteed_mbps: guarantee above maximum, got 201, "
		"want "
		"at most 200 Mbps"},
	{"the same by a window's maximum", "max_mbps: 150", "max_mbps: 99",
		"catalog.yaml:8: vendors[0].windows[0].max_mbps: guarantee above maximum, got 100, "
		"want at most 99 Mbps"},
	{"the same by a window's guarantee", "max_mbps: 150", "guaranteed_mbps: 200.5",
		"catalog.yaml:8: vendors[0].windows[0].guaranteed_mbps: guarantee above maximum, "
		"got 200.5, want at most 200 Mbps"},
	{"the same in a region", "guaranteed_mbps: 10\n", "guaranteed_mbps: 21\n",
		"catalog.yaml:12: vendors[0].regions[0].guaranteed_mbps: guarantee above maximum, "
		"got 21, want at most 20 Mbps"},
	{"the same in a region without maximum", "guaranteed_mbps: 10\n        max_mbps: 20\n",
		"guaranteed_mbps: 201\n",
		"catalog.yaml:12: vendors[0].regions[0].guaranteed_mbps: guarantee above maximum, "
		"got 201, want at most 200 Mbps"},
	{"an empty window", "12:00", "10:00",
		"catalog.yaml:7: vendors[0].windows[0].to: empty window, got \"10:00\", want an "
		"end "
		"that is not the begin"},
	{"a window from 24:00", "from: \"10:00\"", "from: \"24:00\"",
		"catalog.yaml:6: vendors[0].windows[0].from: begins where the day ends, got "
		"\"24:00\", want 00:00 to 23:59"},
	{"no time of day", "12:00", "12:60",
		"catalog.yaml:7: vendors[0].windows[0].to: bad value, got \"12:60\", want a time "
		"HH:MM from 00:00 to 24:00"},
	{"no weekday", "max_mbps: 150", "days: [mon, funday]",
		"catalog.yaml:8: vendors[0].windows[0].days[1]: unknown word, got \"funday\", want "
		"mon, tue, wed, thu, fri, sat, sun"},
	{"regions of one name", "name: r2", "name: r1",
		"catalog.yaml:14: vendors[0].regions[1].name: name given twice, got \"r1\", want "
		"it "
		"unique in the vendor"},
	{"overlapping regions", "CN/GX/*", "CN/G*/telecom",
		"catalog.yaml:15: vendors[0].regions[1].groups[0]: overlapping regions, got "
		"\"CN/G*/telecom\", want none that meets \"CN/GD/*\" of r1"},
	{"a region within another", "CN/GX/*", "CN",
		"catalog.yaml:15: vendors[0].regions[1].groups[0]: overlapping regions, got "
		"\"CN\", "
		"want none that meets \"CN/GD/*\" of r1"},
	{"no pattern of groups", "CN/GX/*", "CN//x",
		"catalog.yaml:15: vendors[0].regions[1].groups[0]: bad value, got \"CN//x\", want "
		"a "
		"pattern of group names like CN/GD/*"},
	{"no IPv4 address", "192.0.2.1]", "192.0.2]",
		"catalog.yaml:17: vendors[0].addresses[0].a[0]: bad value, got \"192.0.2\", want "
		"an "
		"IPv4 address"},
	{"IPv6 among IPv4", "192.0.2.1]", "\"2001:db8::1\"]",
		"catalog.yaml:17: vendors[0].addresses[0].a[0]: bad value, got \"2001:db8::1\", "
		"want an IPv4 address"},
	{"addresses without one", "a: [192.0.2.1]", "groups: [CN]",
		"catalog.yaml:17: vendors[0].addresses[0]: no address, got neither a nor aaaa, "
		"want "
		"one of them"},
	{"a node of no vendor", "vendor: b\n    group", "vendor: c\n    group",
		"catalog.yaml:22: nodes[0].vendor: unknown vendor, got \"c\", want a name of "
		"vendors"},
	{"a node without address", "a: [192.0.2.9]", "a: []",
		"catalog.yaml:21: nodes[0]: no address, got neither a nor aaaa, want one of them"},
	{"a node in a pattern", "CN/GD/telecom", "CN/GD/*",
		"catalog.yaml:23: nodes[0].group: bad value, got \"CN/GD/*\", want a group name "
		"like "
		"CN/GD/telecom"},
	{"nodes of one name", "services:",
		"  - {name: n1, vendor: a, group: US, capacity_mbps: 1, a: [192.0.2.3]}\nservices:",
		"catalog.yaml:26: nodes[1].name: name given twice, got \"n1\", want it unique"},
	{"services of one name",
		"zones:", "  - {name: s, hosts: [h.x.example], vendors: [{vendor: a}]}\nzones:",
		"catalog.yaml:34: services[1].name: name given twice, got \"s\", want it unique"},
	{"a host twice", "[live.x.example]", "[live.x.example, LIVE.x.example.]",
		"catalog.yaml:28: services[0].hosts[1]: host given twice, got \"live.x.example\", "
		"want it unique"},
	{"a host of two services",
		"zones:", "  - {name: t, hosts: [live.x.example], vendors: [{vendor: a}]}\nzones:",
		"catalog.yaml:34: services[1].hosts[0]: host given twice, got \"live.x.example\", "
		"want it unique"},
	{"a host under no zone", "live.x.example", "live.yx.example",
		"catalog.yaml:28: services[0].hosts[0]: host under no zone, got "
		"\"live.yx.example\", want one under a name of zones"},
	{"no host name", "live.x.example", "live..example",
		"catalog.yaml:28: services[0].hosts[0]: bad value, got \"live..example\", want a "
		"host name"},
	{"a CNAME at an apex", "hosts: [live.x.example]", "hosts: [x.example]\n    dns: cname",
		"catalog.yaml:28: services[0].hosts[0]: CNAME at an apex, got \"x.example\" with "
		"dns: cname, want dns: address"},
	{"a service's vendor that is none", "- vendor: b\n        cname",
		"- vendor: c\n        cname",
		"catalog.yaml:32: services[0].vendors[1].vendor: unknown vendor, got \"c\", want a "
		"name of vendors"},
	{"a service's vendor twice", "- vendor: b\n        cname", "- vendor: a\n        cname",
		"catalog.yaml:32: services[0].vendors[1].vendor: vendor given twice, got \"a\", "
		"want it once"},
	{"dns: cname without one", "        cname: live.b.example\n", "    dns: cname\n",
		"catalog.yaml:32: services[0].vendors[1]: no cname, got dns: cname, want a cname "
		"for "
		"this vendor, vendor b"},
	{"a circle", "live.b.example", "live.x.example",
		"catalog.yaml:33: services[0].vendors[1].cname: circle, got \"live.x.example\", "
		"want "
		"a host that is not scheduled here"},
	{"an unknown overload policy", "    vendors:\n      - vendor: a",
		"    overload: raise\n    vendors:\n      - vendor: a",
		"catalog.yaml:29: services[0].overload: unknown word, got \"raise\", want "
		"none, lower, spread"},
	{"a ladder that rises", "    vendors:\n      - vendor: a",
		"    ladder_kbps: [8000, 4000, 4000]\n    vendors:\n      - vendor: a",
		"catalog.yaml:29: services[0].ladder_kbps[2]: ladder does not fall, got 4000, want "
		"less than 4000"},
	{"a rung too high", "    vendors:\n      - vendor: a",
		"    ladder_kbps: [1000001]\n    vendors:\n      - vendor: a",
		"catalog.yaml:29: services[0].ladder_kbps[0]: out of range, got 1000001, want at "
		"most 1000000"},
	{"one rung too many", "    vendors:\n      - vendor: a",
		"    ladder_kbps: [9, 8, 7, 6, 5, 4, 3, 2, 1]\n    vendors:\n      - vendor: a",
		"catalog.yaml:29: services[0].ladder_kbps: too many entries, got 9, want at most "
		"8"},
	{"a tier too far", "      - vendor: a\n", "      - vendor: a\n        tier: 4\n",
		"catalog.yaml:31: services[0].vendors[0].tier: out of range, got \"4\", want a "
		"whole "
		"number from 0 to 3"},
	{"zones of one name", "streams:", "  - {name: X.example., file: /dev/null}\nstreams:",
		"catalog.yaml:37: zones[1].name: name given twice, got \"x.example\", want it "
		"unique"},
	{"no zone file", "/dev/null", "/dev/null/none",
		"catalog.yaml:36: zones[0].file: cannot read, got \"/dev/null/none\" (Not a "
		"directory), want a zone file"},
	{"a stream of no service", "service: s", "service: t",
		"catalog.yaml:39: streams[0].service: unknown service, got \"t\", want a name of "
		"services"},
	{"a stream's vendor that is none", "vendors: [a]", "vendors: [a, c]",
		"catalog.yaml:40: streams[0].vendors[1]: unknown vendor, got \"c\", want a vendor "
		"of service s"},
	{"a stream's vendor twice", "vendors: [a]", "vendors: [a, a]",
		"catalog.yaml:40: streams[0].vendors[1]: vendor given twice, got \"a\", want it "
		"once"},
	{"streams of one name", "isps:", "  - {name: st, service: s, vendors: [b]}\nisps:",
		"catalog.yaml:41: streams[1].name: name given twice, got \"st\", want it unique in "
		"service s"},
	{"a stream with a space", "name: st", "name: a b",
		"catalog.yaml:38: streams[0].name: bad value, got \"a b\", want printable text "
		"without spaces and quotes"},
	{"carriers of one name", NULL, "  - {name: tel, asns: [2]}\n",
		"catalog.yaml:44: isps[1].name: name given twice, got \"tel\", want it unique"},
	{"an AS number of two carriers", NULL, "  - {name: tel2, asns: [7, 1]}\n",
		"catalog.yaml:44: isps[1].asns[1]: number given twice, got 1, want one that tel "
		"does not have"},
	{"a carrier that nothing tells", "    asns: [1]\n", "",
		"catalog.yaml:42: isps[0]: nothing tells it, got neither names nor asns, want one "
		"of them"},
	{"AS number 0", "[1]", "[0]",
		"catalog.yaml:43: isps[0].asns[0]: out of range, got \"0\", want a whole number "
		"from 1 to 4294967295"},
};

static int check(const struct row *row, const char *sluice, const char *catalog)
{
	struct errbuf err;
	struct conf *c;
	int rc = load_text(sluice, catalog, &c, &err);

	conf_free(c);
	if (rc < 0 && strcmp(err.s, row->want) == 0)
		return 0;
	(void)fprintf(stderr, "%s:\n got  %s\n want %s\n", row->about, err.s, row->want);
	return 1;
}

static void refuses_in_sluice(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(sluice_rows); i++) {
		char *text = replaced(base_sluice, sluice_rows[i].find, sluice_rows[i].with);

		bad += check(&sluice_rows[i], text, base_catalog);
		free(text);
	}
	assert_int_equal(bad, 0);
}

static void refuses_in_catalog(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(catalog_rows); i++) {
		char *text = replaced(base_catalog, catalog_rows[i].find, catalog_rows[i].with);

		bad += check(&catalog_rows[i], base_sluice, text);
		free(text);
	}
	assert_int_equal(bad, 0);
}

/* What takes more than one change. */
static void refuses_combinations(void **state)
{
	static const struct {
		struct row row;
		const char *find2, *with2;
	} rows[] = {
		{{"an apex whose vendor has only a CNAME", "live.x.example", "x.example",
			 "catalog.yaml:28: services[0].vendors[0]: no address, got a host at an "
			 "apex, want addresses or nodes of this vendor, vendor a"},
			"    addresses:\n      - a: [192.0.2.1]\n", ""},
		{{"dns: address without one", "    vendors:\n      - vendor: a",
			 "    dns: address\n    vendors:\n      - vendor: a",
			 "catalog.yaml:29: services[0].vendors[0]: no address, got dns: address, "
			 "want addresses or nodes of this vendor, vendor a"},
			"    addresses:\n      - a: [192.0.2.1]\n", ""},
		{{"a vendor nothing can be said of", "        cname: live.a.example\n", "",
			 "catalog.yaml:28: services[0].vendors[0]: nothing to answer with, got "
			 "neither cname nor addresses nor nodes, want one of them, vendor a"},
			"    addresses:\n      - a: [192.0.2.1]\n", ""},
	};
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		char *once = replaced(base_catalog, rows[i].row.find, rows[i].row.with);
		char *text = replaced(once, rows[i].find2, rows[i].with2);

		bad += check(&rows[i].row, base_sluice, text);
		free(once);
		free(text);
	}
	assert_int_equal(bad, 0);
}

static void refuses_one_port_for_two(void **state)
{
	static const struct row row = {"one address for two listeners", NULL, NULL,
		"sluice.yaml:2: listen.reports[0]: address used twice, got \"8053\", want one that "
		"no other listener has"};

	(void)state;
	assert_int_equal(check(&row, "unit: u\nlisten: {reports: [\"8053\"]}\n", base_catalog), 0);
}

static void refuses_what_is_no_file(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", "sluice.yaml:1: the file is empty, want a mapping"},
		{"# only a comment\n", "sluice.yaml:1: the file is empty, want a mapping"},
		{"- a\n", "sluice.yaml:1: wrong kind, got a list, want a mapping"},
		{"plain\n", "sluice.yaml:1: wrong kind, got a single value, want a mapping"},
		{"\n\n--- \n", "sluice.yaml:4: wrong kind, got nothing, want a mapping"},
		{"\x7f"
		 "ELF\x02\x01\x01",
			"sluice.yaml:1: not readable as YAML, control characters are not allowed"},
	};
	struct errbuf err;
	struct conf *c;

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		assert_true(load_text(rows[i].text, base_catalog, &c, &err) < 0);
		assert_string_equal(err.s, rows[i].want);
	}
	assert_int_equal(conf_load("/none/such.yaml", &c, &err), SL_ENOENT);
	assert_string_equal(err.s, "/none/such.yaml: cannot read: not found");
	assert_true(conf_load("/", &c, &err) < 0);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Through real files: the second file's faults carry its own name, and the first its own. */
static void names_the_file_at_fault(void **state)
{
	char dir[] = "test_conf.XXXXXX", sluice[64], catalog[64], want[256];
	struct errbuf err;
	struct conf *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(sluice, sizeof(sluice), "%s/sluice.yaml", dir);
	(void)snprintf(catalog, sizeof(catalog), "%s/c.yaml", dir);
	write_file(sluice, "unit: u\ncatalog: c.yaml\n");
	assert_int_equal(conf_load(sluice, &c, &err), SL_ENOENT);
	(void)snprintf(
		want, sizeof(want), "%s:2: catalog: cannot read %s: not found", sluice, catalog);
	assert_string_equal(err.s, want);
	write_file(catalog, "vendors: []\n");
	assert_int_equal(conf_load(sluice, &c, &err), SL_EFORMAT);
	(void)snprintf(want, sizeof(want), "%s:1: vendors: too few entries, got 0, want at least 1",
		catalog);
	assert_string_equal(err.s, want);
	write_file(catalog, base_catalog);
	assert_int_equal(conf_load(sluice, &c, &err), 0);
	conf_free(c);
	(void)remove(catalog);
	(void)remove(sluice);
	assert_int_equal(remove(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_in_sluice),
		cmocka_unit_test(refuses_in_catalog),
		cmocka_unit_test(refuses_combinations),
		cmocka_unit_test(refuses_one_port_for_two),
		cmocka_unit_test(refuses_what_is_no_file),
		cmocka_unit_test(names_the_file_at_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
