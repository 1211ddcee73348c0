/* SPDX-License-Identifier: Apache-2.0 */
/* The least that a UDP server can do: what comes in a batch goes back as it is, marked a response.
 * Usage: dns_echo ADDR:PORT; until it is killed. The yardstick of bench_dns.py. */
#include "base/os.h"

enum { BATCH = 64, SIZE = 2048, RCVBUF = 4 << 20 };

static uint8_t octets[BATCH][SIZE];
static struct sockaddr_storage peer[BATCH];
static struct iovec iov[BATCH];
static struct mmsghdr m[BATCH];

static void arm(int n)
{
	for (int i = 0; i < n; i++) {
		iov[i] = (struct iovec){octets[i], SIZE};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_name = &peer[i],
			.msg_namelen = sizeof(peer[i])};
	}
}

int main(int argc, char **argv)
{
	struct os_addr addr;
	struct errbuf err;
	int fd;

	if (argc != 2 || os_addr_parse(argv[1], &addr, &err) != 0)
		return 2;
	fd = os_udp_bind(&addr, RCVBUF, &err);
	if (fd < 0) {
		(void)fprintf(stderr, "%s\n", err.s);
		return 1;
	}
	arm(BATCH);
	for (;;) {
		int n = recvmmsg(fd, m, BATCH, MSG_WAITFORONE, NULL);

		for (int i = 0; i < n; i++) {
			octets[i][2] |= 0x80;
			iov[i].iov_len = m[i].msg_len;
		}
		if (n > 0)
			(void)sendmmsg(fd, m, (unsigned)n, 0);
		arm(n);
	}
}
