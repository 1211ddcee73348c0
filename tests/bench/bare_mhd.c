/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The yardstick of posts: libmicrohttpd alone, one epoll thread of its own, with a handler that
 * takes a body and answers {"accepted":1}. It reads nothing of what it is sent. usage: bare_mhd
 * prints "ready PORT" and serves until its input ends.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <unistd.h>

static enum MHD_Result answer(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *n, void **state)
{
	static char body[] = "{\"accepted\":1}";
	static int begun;
	struct MHD_Response *r;
	enum MHD_Result result;

	(void)cls;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (!*state) {
		*state = &begun;
		return MHD_YES;
	}
	if (*n) {
		*n = 0;
		return MHD_YES;
	}
	r = MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_PERSISTENT);
	if (!r)
		return MHD_NO;
	(void)MHD_add_response_header(r, "Content-Type", "application/json");
	result = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return result;
}

int main(void)
{
	struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG,
		0, NULL, NULL, answer, NULL, MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
		d ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	char octet;

	if (!info) {
		(void)fprintf(stderr, "bare_mhd: cannot listen\n");
		return 1;
	}
	(void)printf("ready %u\n", info->port);
	(void)fflush(stdout);
	while (read(0, &octet, 1) > 0)
		continue;
	MHD_stop_daemon(d);
	return 0;
}
