/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <netinet/in.h>
#include <unistd.h>

#include "base/os.h"

static char dir[] = "/tmp/sluice-test-os-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const rows[] = {"/a/b", "/a", ""};
	char path[256];

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", dir, rows[i]);
		if (rmdir(path))
			return -1;
	}
	return 0;
}

static void writes_reads_and_maps_files(void **state)
{
	char path[256], *data;
	const void *map;
	size_t n;
	struct errbuf err;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/a/b", dir);
	assert_int_equal(os_mkdirs(path, 0700, &err), 0);
	assert_int_equal(os_mkdirs(path, 0700, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/a/b/f", dir);
	assert_int_equal(os_write_file(path, "hello", 5, 0600, &err), 0);
	assert_int_equal(os_write_file(path, "hi", 2, 0600, &err), 0);
	assert_int_equal(os_read_file(path, 2, &data, &n, &err), 0);
	assert_int_equal(n, 2);
	assert_string_equal(data, "hi");
	free(data);
	assert_int_equal(os_read_file(path, 1, &data, &n, &err), SL_ELIMIT);
	assert_int_equal(os_map_file(path, 1, &map, &n, &err), SL_ELIMIT);
	assert_int_equal(os_map_file(path, 2, &map, &n, &err), 0);
	assert_memory_equal(map, "hi", 2);
	os_unmap(map, n);
	(void)unlink(path);
	assert_int_equal(os_read_file(path, 9, &data, &n, &err), SL_ENOENT);
	assert_non_null(strstr(err.s, "/a/b/f"));
}

static void parses_listener_addresses(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"127.0.0.1:53", "127.0.0.1:53"},
		{"[::1]:8053", "[::1]:8053"},
		{"53", "[::]:53"},
		{"127.0.0.1", NULL},
		{"127.0.0.1:", NULL},
		{"127.0.0.1:65536", NULL},
		{"host:53", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct os_addr a;
		char text[64];
		int rc = os_addr_parse(rows[i].in, &a, NULL);

		assert_int_equal(rc, rows[i].out ? 0 : SL_EFORMAT);
		if (rc)
			continue;
		os_addr_format((const void *)&a.ss, text, sizeof(text));
		assert_string_equal(text, rows[i].out);
	}
}

static void tells_times(void **state)
{
	char text[OS_TIME_TEXT];

	(void)state;
	os_time_text(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	os_time_text(1709209815007, text);
	assert_string_equal(text, "2024-02-29T12:30:15.007Z");
	os_time_text(UINT64_MAX, text);
	assert_true(strlen(text) < sizeof(text));
}

static void a_live_unix_socket_is_not_replaced(void **state)
{
	char path[256];
	struct errbuf err;
	int a, b;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/sock", dir);
	a = os_unix_listen(path, 0600, &err);
	assert_true(a >= 0);
	assert_int_equal(os_unix_listen(path, 0600, &err), SL_EBUSY);
	(void)close(a);
	b = os_unix_listen(path, 0600, &err);
	assert_true(b >= 0);
	(void)close(b);
	(void)unlink(path);
}

static int option(int fd, int level, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	assert_int_equal(getsockopt(fd, level, name, &v, &n), 0);
	return v;
}

/* RFC 9715: of both families, on a socket for both too */
static void believes_nobody_about_the_path(void **state)
{
	static const char *const rows[] = {"127.0.0.1:0", "0"};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct os_addr a;
		int fd;

		assert_int_equal(os_addr_parse(rows[i], &a, NULL), 0);
		fd = os_udp_bind(&a, 1 << 16, NULL);
		if (fd < 0 && a.ss.ss_family == AF_INET6)
			continue; /* a machine without it */
		assert_true(fd >= 0);
		assert_int_equal(option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
		if (a.ss.ss_family == AF_INET6)
			assert_int_equal(
				option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
		(void)close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_reads_and_maps_files),
		cmocka_unit_test(parses_listener_addresses),
		cmocka_unit_test(tells_times),
		cmocka_unit_test(a_live_unix_socket_is_not_replaced),
		cmocka_unit_test(believes_nobody_about_the_path),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
