/* SPDX-License-Identifier: Apache-2.0 */
/* A packet through the packet path: whatever it is, the answer is silence, or a message that ldns
 * can read and that fits where it goes. The first octet says how it came. */
#include <ldns/ldns.h> /* before base/banned.h: OpenSSL's headers say "rand" */

#include "fuzz.h"

#include "dnsworld.h"

static void check_reply(const uint8_t *msg, size_t n, const uint8_t *out, size_t len)
{
	ldns_pkt *p = NULL;

	fuzz_check(len >= DNS_HEADER);
	fuzz_check(n >= DNS_HEADER && !(msg[2] & 0x80));
	fuzz_check(memcmp(msg, out, 2) == 0);
	fuzz_check(ldns_wire2pkt(&p, out, len) == LDNS_STATUS_OK);
	fuzz_check(ldns_pkt_qr(p));
	fuzz_check(!ldns_pkt_tc(p) || ldns_pkt_ancount(p) + ldns_pkt_nscount(p) == 0);
	ldns_pkt_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct testworld_spec spec = {.apex_host = true};
	static const struct ip clients[] = {{{10, 1, 2, 3}, IP_V4}, {{127, 0, 0, 1}, IP_V4},
		{{0x20, 1, 0x0d, 0xb8, 0, 1}, IP_V6}, {{0}, IP_NONE}};
	static struct dnsworld w;
	static uint8_t out[DNSD_OUT_MAX];
	enum dnsd_proto proto;
	size_t len;

	if (!w.d.w.rows) {
		publish_reader_start();
		fuzz_check(dnsworld_init(&w, &spec) == 0);
	}
	if (size == 0)
		return 0;
	proto = data[0] & 1 ? DNSD_TCP : DNSD_UDP;
	len = dnsd_handle(
		&w.d, data + 1, size - 1, clients[data[0] >> 1 & 3], proto, out, sizeof(out));
	if (len)
		check_reply(data + 1, size - 1, out, len);
	fuzz_check(proto == DNSD_TCP || len <= SL_DNS_UDP_MAX);
	return 0;
}
