/* SPDX-License-Identifier: Apache-2.0 */
/* A reply to the harvest's question; its id is set right, or nothing would be read. The first octet
 * says of which family. */
#include "fuzz.h"

#include "sense/dnsmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sense_dns_question q = {.host = "live.alpha.example",
		.net = {.b = {202, 96, 128}, .family = IP_V4},
		.bits = 24,
		.id = 4660};
	uint8_t octets[SENSE_DNS_MAX] = {0x12, 0x34};
	struct sense_dns_reply r;
	enum sense_dns_verdict v;

	if (size < 3 || size > sizeof(octets) - 2)
		return 0;
	q.v6 = data[0] & 1;
	memcpy(octets + 2, data + 1, size - 1);
	v = sense_dns_read(&q, octets, size + 1, &r);
	fuzz_check((v == SENSE_DNS_GOOD) == (r.n > 0));
	fuzz_check(r.n <= SENSE_MAX_EDGES);
	for (uint32_t i = 0; i < r.n; i++)
		fuzz_check(r.ip[i].family == (q.v6 ? IP_V6 : IP_V4));
	fuzz_check(sense_dns_query(&q, octets, sizeof(octets)) > 12);
	return 0;
}
