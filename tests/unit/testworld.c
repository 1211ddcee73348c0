/* SPDX-License-Identifier: Apache-2.0 */
#include "testworld.h"

#include <stdlib.h>
#include <unistd.h>

#include "geo/build.h"
#include "scoring/hold.h"
#include "geo/file.h"
#include "world/zone.h"

#define X50  "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
#define X200 X50 X50 X50 X50

const char testworld_zone[] = "$TTL 300\n"
			      "@ IN SOA ns1 admin 1 3600 600 86400 60\n"
			      "@ NS ns1\n"
			      "@ NS ns2.other.test.\n"
			      "@ MX 10 mail\n"
			      "@ TXT \"v=spf1 -all\"\n"
			      "@ CAA 0 issue \"ca.test\"\n"
			      "ns1 A 192.0.2.53\n"
			      "ns1 AAAA 2001:db8::53\n"
			      "mail A 192.0.2.25\n"
			      "www CNAME live\n"
			      "deep.a.b A 192.0.2.77\n"
			      "*.wild TXT \"any\"\n"
			      "*.wild A 192.0.2.99\n"
			      "x.wild A 192.0.2.98\n"
			      "live TXT \"beside the steering\"\n"
			      "sub NS ns.sub\n"
			      "sub NS ns.elsewhere.test.\n"
			      "sub DS 12345 13 2 "
			      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
			      "ns.sub A 192.0.2.54\n"
			      "old DNAME new.test.\n"
			      "drill HTTPS 1 . alpn=h2 port=8443 ipv4hint=1.2.3.4 ech=AQID\n"
			      "drill HTTPS 2 alt.test. alpn=h3\n"
			      "live HTTPS 1 . alpn=h2\n"
			      "svc HTTPS 1 . alpn=h2\n"
			      "_sip._udp SRV 1 2 5060 mail\n"
			      "wide TXT ( \"" X200 "\" \"" X200 "\" \"" X200 "\" \"" X200
			      "\" )\n"       /* a datagram holds it */
			      "big TXT ( \"" /* 8 x 200 */
	X200 "\" \"" X200 "\" \"" X200 "\" \"" X200 "\" \"" X200 "\" \"" X200 "\" \"" X200
			      "\" \"" X200 "\" )\n";

static const char apex_zone[] =
	"$TTL 300\n@ SOA ns1.sluice.example. admin 1 3600 600 86400 60\n@ NS ns1.sluice.example.\n";

static const char overrides[] =
	"10.1.0.0/16,CN,GD,telecom,test\n10.2.0.0/16,CN,GD,unicom,test\n10.3.0.0/16,US,,,test\n"
	"2001:db8:1::/48,CN,GD,telecom,test\n";

static struct blob_span text(struct blob_writer *w, const char *s)
{
	return blob_add_octets(w, CAT_text, s, (uint32_t)strlen(s));
}

static void add_vendors(struct blob_writer *w)
{
	static const char *const name[] = {"alpha", "beta", "gamma"};
	struct cat_vendor *v = blob_add(w, CAT_vendors, TW_VENDORS, NULL);

	for (uint32_t i = 0; i < TW_VENDORS; i++)
		v[i] = (struct cat_vendor){.name = text(w, name[i]),
			.weight = 1,
			.guaranteed_mbps = 1000,
			.max_mbps = 2000,
			.active = 1};
}

/* Whether a service knows a vendor by its CNAME. */
static bool has_cname(uint32_t service, uint32_t vendor)
{
	return service == TW_LIVE || (service == TW_MIXED && vendor != TW_ALPHA);
}

static void add_services(struct blob_writer *w, const struct testworld_spec *spec)
{
	_Static_assert(CAT_DNS_CNAME == 1, "live is by CNAME");
	static const char *const name[] = {"live", "drill", "mixed"};
	static const char *const cname[] = {
		"live.alpha.example.", "live.beta.example.", "live.gamma.example."};

	struct blob_span ladder = {0, 3};
	struct cat_rung *rung = blob_add(w, CAT_rungs, ladder.count, NULL);

	rung[0].kbps = 3000;
	rung[1].kbps = 1500;
	rung[2].kbps = 600;
	for (uint32_t s = 0; s < TW_SERVICES; s++) {
		struct cat_service *to;
		struct cat_slot *slot;
		uint32_t first;

		slot = blob_add(w, CAT_slots, TW_VENDORS, &first);
		for (uint32_t v = 0; v < TW_VENDORS; v++) {
			uint8_t wire[SL_DNS_NAME_MAX];
			size_t n = cat_wire_name(str_from(cname[v]), wire);

			slot[v] = (struct cat_slot){.weight = 1, .service = s, .vendor = v};
			if (has_cname(s, v)) {
				slot[v].cname = blob_add_octets(w, CAT_wire, wire, (uint32_t)n);
				slot[v].cname_text = text(w, cname[v]);
			}
		}
		to = blob_add(w, CAT_services, 1, NULL);
		*to = (struct cat_service){.name = text(w, name[s]),
			.slots = {first, TW_VENDORS},
			.hosts = {s, 1},
			.slices = 32,
			.ttl_s = 20,
			.negative_ttl_s = 5,
			.refresh_s = 60,
			.bitrate_kbps = 3000,
			.ladder = ladder,
			.session_s = 600,
			.dns_viewers = spec->dns_viewers ? spec->dns_viewers : 1,
			.n_addresses = 2,
			.dns_mode = spec->dns_mode[s] ? spec->dns_mode[s] : s == TW_LIVE,
			.active = 1,
			.explain = 1};
	}
}

static void add_plays(struct blob_writer *w)
{
	static const char *const hosts[] = {"play.alpha.example", "play.beta.example:81", ""};
	static const char *const units[] = {"bj", "bj", "gz"};
	static const char *const urls[] = {"rtmp://north.example/live/{stream}",
		"rtmp://north2.example/live/{stream}", "srt://south.example:9/live/{stream}"};
	struct cat_signer *signer = blob_add(w, CAT_signers, 2, NULL);
	struct cat_play *play = blob_add(w, CAT_plays, 2, NULL);
	struct cat_ingest *ingest = blob_add(w, CAT_ingests, 3, NULL);
	struct cat_slot_play *slot = blob_add(w, CAT_slot_plays, TW_SERVICES * TW_VENDORS, NULL);
	struct cat_service_play *service = blob_add(w, CAT_service_plays, TW_SERVICES, NULL);

	for (uint32_t i = 0; i < 2; i++) {
		signer[i].name = text(w, i ? "b" : "a");
		signer[i].scheme = text(w, i ? "type_b" : "wangsu");
		signer[i].key = text(w, i ? "word" : "sign");
		play[i] = (struct cat_play){.definition = text(w, i ? "hd" : "sd"),
			.path = text(w, i ? "/live/{stream}/index.m3u8" : "/live/{stream}.flv"),
			.format = i,
			.validity_s = 300};
	}
	for (uint32_t i = 0; i < 3; i++)
		ingest[i] = (struct cat_ingest){.name = text(w, urls[i] + 7),
			.unit = text(w, units[i]),
			.url = text(w, urls[i]),
			.signer = i == 1 ? BLOB_NONE : 0,
			.validity_s = 600};
	for (uint32_t i = 0; i < TW_SERVICES * TW_VENDORS; i++)
		slot[i] = (struct cat_slot_play){.host = text(w, hosts[i % TW_VENDORS]),
			.signer = i % TW_VENDORS < 2 ? i % TW_VENDORS : BLOB_NONE,
			.https = i % 2};
	for (uint32_t s = 0; s < TW_SERVICES; s++)
		service[s] = (struct cat_service_play){{0, 2}, {0, 3}};
}

/* n records of vendor v: 192.0.2/24, 198.51.100/24, 203.0.113/24, and 2001:db8:V::. */
static struct blob_span add_records(struct blob_writer *w, uint32_t v, bool v6, uint32_t n)
{
	static const uint8_t net[][4] = {{192, 0, 2}, {198, 51, 100}, {203, 0, 113}};
	uint8_t wire[4 * CAT_AAAA_RR_SIZE] = {0};
	uint32_t size = v6 ? CAT_AAAA_RR_SIZE : CAT_A_RR_SIZE;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t *p = wire + i * size;

		p[0] = 0xc0;
		p[1] = 12;
		p[3] = v6 ? 28 : 1;
		p[5] = 1;
		p[11] = v6 ? 16 : 4;
		memcpy(p + 12, v6 ? (const uint8_t[4]){0x20, 1, 0x0d, 0xb8} : net[v], 4);
		if (v6)
			p[17] = (uint8_t)v;
		p[size - 1] = (uint8_t)(i + 1);
	}
	return blob_add_octets(w, CAT_wire, wire, n * size);
}

static void add_tables(struct blob_writer *w, uint32_t n_groups)
{
	uint32_t n = n_groups * TW_VENDORS;
	struct cat_addrset *set = blob_add(w, CAT_addrsets, TW_VENDORS, NULL);
	struct cat_allowed *allowed = blob_add(w, CAT_allowed, n, NULL);
	struct cat_region_of *region_of = blob_add(w, CAT_region_of, n, NULL);
	struct cat_vendor_addrs *addrs = blob_add(w, CAT_vendor_addrs, n, NULL);
	struct cat_vendor_nodes *nodes = blob_add(w, CAT_vendor_nodes, n, NULL);

	for (uint32_t v = 0; v < TW_VENDORS; v++) /* gamma has no IPv6 */
		set[v] = (struct cat_addrset){.a = add_records(w, v, false, 3),
			.aaaa = add_records(w, v, true, v == TW_GAMMA ? 0 : 2)};
	for (uint32_t i = 0; i < n; i++) {
		allowed[i].v = 1;
		region_of[i].v = UINT16_MAX;
		addrs[i].v = i == TW_US * TW_VENDORS + TW_GAMMA ? BLOB_NONE : i % TW_VENDORS;
		nodes[i].v = BLOB_NONE;
	}
}

static void add_groups(struct blob_writer *w, const struct geo_names *names)
{
	struct cat_group *g = blob_add(w, CAT_groups, (uint32_t)names->n, NULL);

	for (size_t i = 0; i < names->n; i++)
		g[i].name = text(w, names->name[i]);
}

static int write_file(char *path, const char *content)
{
	int fd = mkstemp(path);
	ssize_t n = fd < 0 ? -1 : write(fd, content, strlen(content));

	if (fd >= 0)
		(void)close(fd);
	return n == (ssize_t)strlen(content) ? 0 : SL_EIO;
}

static int add_zones(struct blob_writer *w, const struct testworld_spec *spec,
	struct cat_meta *meta, struct errbuf *err)
{
	char path[] = "/tmp/testworld-XXXXXX", apex_path[] = "/tmp/testworld-XXXXXX";
	struct zone_input in[] = {{"sluice.example", path}, {"apex.example", apex_path}};
	struct zone_host hosts[] = {{"live.sluice.example", TW_LIVE, true},
		{"drill.sluice.example", TW_DRILL, true}, {"Mixed.Sluice.Example.", TW_MIXED, true},
		{"apex.example", TW_DRILL, true}};
	uint32_t more = spec->apex_host;
	int rc = write_file(path, spec->zone ? spec->zone : testworld_zone);

	if (!rc)
		rc = write_file(apex_path, apex_zone);
	if (!rc)
		rc = zones_build(w, in, 1 + more, hosts, 3 + more, &meta->max_labels, err);
	(void)unlink(path);
	(void)unlink(apex_path);
	return rc;
}

static int build_catalogue(
	struct testworld *tw, const struct testworld_spec *spec, const struct geo_names *names)
{
	struct blob_writer *w = blob_writer_new(&catalogue_def);
	struct cat_meta *meta = blob_add(w, CAT_meta, 1, NULL);
	size_t size;
	int rc;

	meta->explain = 1;
	add_groups(w, names);
	add_vendors(w);
	add_services(w, spec);
	add_tables(w, (uint32_t)names->n);
	if (spec->plays)
		add_plays(w);
	rc = add_zones(w, spec, meta, &tw->err);
	if (!rc)
		rc = blob_writer_finish(
			w, (struct blob_stamp){1, 1, 1}, &tw->catalogue, &size, &tw->err);
	blob_writer_free(w);
	return rc;
}

static int build_geo(
	struct testworld *tw, const struct testworld_spec *spec, struct geo_names *ret_names)
{
	struct geo_input in = {.overrides_name = "overrides",
		.overrides = str_from(spec->overrides ? spec->overrides : overrides),
		.intern = geo_names_intern,
		.ctx = ret_names};
	struct geo_table *table = NULL;
	size_t size;
	int rc;

	in.isps = geo_isp_default(&in.n_isps);
	rc = geo_build(&in, &table, &size, &tw->err);
	if (!rc)
		rc = geoblob_build(
			table, 1, (struct blob_stamp){1, 1, 1}, &tw->geo, &size, &tw->err);
	free(table);
	return rc;
}

static void fill_row(
	struct blob_writer *w, const struct testworld_spec *spec, uint32_t s, struct tick_row *row)
{
	static const uint32_t usual[] = {500000, 300000, 200000};
	const uint32_t *ppm =
		spec->ppm[s][0] + spec->ppm[s][1] + spec->ppm[s][2] ? spec->ppm[s] : usual;
	struct tick_share *share = blob_add(w, TICK_shares, 1, &row->shares);
	uint64_t sum = 0;

	row->fallback = row->shares;
	row->order = 0x210;
	row->sticky.first = blob_count(w, TICK_sticky);
	if (spec->none[s]) {
		share->ppm.v[SCORE_NONE] = SCORE_PPM;
		return;
	}
	row->n_order = TW_VENDORS;
	row->hold_length = spec->hold_length;
	for (uint32_t v = 0; v < TW_VENDORS && spec->hold_length > TICK_HOLD_BASE; v++)
		row->hold_slots |= (uint64_t)(spec->hold_length - TICK_HOLD_BASE) << (4 * v);
	if (spec->lower_ppm) {
		struct tick_rung *rung = blob_add(w, TICK_rungs, 1, &row->rungs);

		row->lower_ppm = spec->lower_ppm;
		rung->ppm.v[0] = SCORE_PPM - spec->lower_ppm;
		rung->ppm.v[1] = spec->lower_ppm / 3 * 2;
		rung->ppm.v[2] = SCORE_PPM - rung->ppm.v[0] - rung->ppm.v[1];
	}
	for (uint32_t v = 0; v < TW_VENDORS; v++) {
		struct tick_sticky *e;

		if (spec->drains && v == TW_GAMMA) {
			row->seated |= (uint16_t)(1u << v);
			row->reasons |= (uint64_t)SCORE_DRAINED << (4 * v);
			row->hold_shift = HOLD_SHIFT;
		}
		if (ppm[v] == 0)
			continue;
		share->ppm.v[v] = ppm[v];
		sum += ppm[v];
		row->usable |= (uint16_t)(1u << v);
		row->seated |= (uint16_t)(1u << v);
		e = blob_add(w, TICK_sticky, 1, NULL);
		e->v = (uint32_t)((sum * 0x1000000 / SCORE_PPM) - 1) << 8 | v;
		row->sticky.count++;
	}
}

static int build_tick(struct testworld *tw, const struct testworld_spec *spec, uint32_t n_groups)
{
	struct blob_writer *w = blob_writer_new(&tick_def);
	struct tick_meta *meta = blob_add(w, TICK_meta, 1, NULL);
	struct tick_budget *budget = blob_add(w, TICK_budgets, TW_VENDORS, NULL);
	struct blob_stamp stamp = {1, 17, spec->time_ms ? spec->time_ms : UINT64_C(1) << 62};
	size_t size;
	int rc;

	*meta = (struct tick_meta){.catalogue = ((struct blob_head *)tw->catalogue)->checksum,
		.geo = ((struct blob_head *)tw->geo)->checksum,
		.n_services = TW_SERVICES,
		.n_groups = n_groups,
		.n_vendors = TW_VENDORS,
		.tick_ms = 1000,
		.stale_after_ms = 900000};
	for (uint32_t v = 0; v < TW_VENDORS; v++)
		budget[v].v = UINT64_MAX;
	(void)blob_add(w, TICK_figures, TW_VENDORS, NULL);
	(void)blob_add(w, TICK_breakers, TW_VENDORS * n_groups, NULL);
	(void)blob_add(w, TICK_rows, TW_SERVICES * n_groups, NULL);
	for (uint32_t s = 0; s < TW_SERVICES; s++)
		for (uint32_t g = 0; g < n_groups; g++)
			fill_row(w, spec, s, blob_at(w, TICK_rows, s * n_groups + g));
	rc = blob_writer_finish(w, stamp, &tw->tick, &size, &tw->err);
	blob_writer_free(w);
	return rc;
}

int testworld_init(struct testworld *tw, const struct testworld_spec *spec)
{
	static const struct testworld_spec usual;
	struct geo_names names = {0};
	int rc;

	if (!spec)
		spec = &usual;
	*tw = (struct testworld){0};
	rc = build_geo(tw, spec, &names);
	if (!rc)
		rc = build_catalogue(tw, spec, &names);
	if (!rc)
		rc = build_tick(tw, spec, (uint32_t)names.n);
	if (!rc)
		rc = world_join(tw->catalogue, tw->geo, tw->tick, &tw->file, &tw->err);
	geo_names_done(&names);
	return rc;
}

struct world_file *testworld_take(struct testworld *tw)
{
	struct world_file *f = NULL;

	return world_join(tw->catalogue, tw->geo, tw->tick, &f, &tw->err) ? NULL : f;
}

void testworld_done(struct testworld *tw)
{
	world_close(tw->file);
	free(tw->catalogue);
	free(tw->geo);
	free(tw->tick);
	*tw = (struct testworld){0};
}
