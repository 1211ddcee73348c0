/* SPDX-License-Identifier: Apache-2.0 */
#define SL_ALLOW_CLOCK
#include "base/os.h"

#include "base/limits.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	sl_assert(clock_gettime(id, &ts) == 0);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t os_now_ms(void)
{
	return clock_ns(CLOCK_REALTIME) / 1000000;
}

void os_time_text(uint64_t unix_ms, char ret[static OS_TIME_TEXT])
{
	time_t s = (time_t)(unix_ms / 1000);
	struct tm tm;
	size_t n;

	(void)gmtime_r(&s, &tm);
	n = strftime(ret, OS_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(ret + n, OS_TIME_TEXT - n, ".%03uZ", (unsigned)(unix_ms % 1000));
}

uint64_t os_mono_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t os_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t os_thread_user_ns(void)
{
	struct rusage ru;

	sl_assert(getrusage(RUSAGE_THREAD, &ru) == 0);
	return (uint64_t)ru.ru_utime.tv_sec * 1000000000u + (uint64_t)ru.ru_utime.tv_usec * 1000u;
}

void os_random(void *p, size_t n)
{
	char *at = p;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		sl_assert(got > 0 || errno == EINTR);
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
}

uint64_t os_random64(void)
{
	uint64_t v;

	os_random(&v, sizeof(v));
	return v;
}

void os_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int parse_port(const char *text, uint16_t *ret_port)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || v > 65535)
		return SL_EFORMAT;
	*ret_port = (uint16_t)v;
	return 0;
}

int os_addr_parse(const char *text, struct os_addr *ret_addr, struct errbuf *err)
{
	const char *colon = strrchr(text, ':');
	struct str host = {text, colon ? (size_t)(colon - text) : 0};
	struct os_addr a = {.len = 0};
	struct sockaddr_in *v4 = (void *)&a.ss;
	struct sockaddr_in6 *v6 = (void *)&a.ss;
	struct ip ip = {.family = IP_V6};
	uint16_t port;

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct str){host.p + 1, host.n - 2};
	if (parse_port(colon ? colon + 1 : text, &port) || (colon && !ip_parse(host, &ip)))
		return err_set(err, SL_EFORMAT,
			"address \"%s\": want ADDR:PORT, [ADDR]:PORT or PORT", text);
	if (ip.family == IP_V4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, ip.b, 4);
		a.len = sizeof(*v4);
	} else {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, ip.b, 16);
		a.len = sizeof(*v6);
	}
	*ret_addr = a;
	return 0;
}

uint16_t os_addr_port(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
	if (sa->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
	return 0;
}

void os_addr_format(const struct sockaddr *sa, char *ret_text, size_t size)
{
	struct ip ip = ip_from_sockaddr(sa);
	char text[IP_TEXT_MAX];

	if (ip.family == IP_NONE) {
		(void)snprintf(ret_text, size, "local");
		return;
	}
	ip_format(ip, text);
	(void)snprintf(
		ret_text, size, ip.family == IP_V6 ? "[%s]:%u" : "%s:%u", text, os_addr_port(sa));
}

static int bound_socket(const struct os_addr *addr, int type, struct errbuf *err)
{
	char text[64];
	int on = 1, off = 0, fd;

	os_addr_format((const void *)&addr->ss, text, sizeof(text));
	fd = socket(addr->ss.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, "socket for %s", text);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (addr->ss.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const void *)&addr->ss, addr->len) < 0) {
		int rc = err_set_errno(err, "cannot bind %s", text);
		(void)close(fd);
		return rc;
	}
	return fd;
}

/* What an ICMP message claims about the path is not believed: with a small size forged answers are
 * sent in fragments, of which a forger may make up the second (RFC 9715). */
static void ignore_path_mtu(int fd)
{
	int v4 = IP_PMTUDISC_OMIT, v6 = IPV6_PMTUDISC_OMIT;

	(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4));
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
}

int os_udp_bind(const struct os_addr *addr, int rcvbuf, struct errbuf *err)
{
	int fd = bound_socket(addr, SOCK_DGRAM, err);

	if (fd < 0)
		return fd;
	ignore_path_mtu(fd);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	return fd;
}

int os_tcp_listen(const struct os_addr *addr, int backlog, struct errbuf *err)
{
	int fd = bound_socket(addr, SOCK_STREAM | SOCK_NONBLOCK, err);

	if (fd < 0)
		return fd;
	if (listen(fd, backlog) < 0) {
		int rc = err_set_errno(err, "listen");
		(void)close(fd);
		return rc;
	}
	return fd;
}

static int unix_addr(const char *path, struct sockaddr_un *ret_sa, struct errbuf *err)
{
	size_t n = strlen(path);

	if (n >= sizeof(ret_sa->sun_path))
		return err_set(err, SL_ELIMIT, "%s: path of a socket over %zu octets", path,
			sizeof(ret_sa->sun_path) - 1);
	memset(ret_sa, 0, sizeof(*ret_sa));
	ret_sa->sun_family = AF_UNIX;
	memcpy(ret_sa->sun_path, path, n);
	return 0;
}

int os_unix_connect(const char *path, struct errbuf *err)
{
	struct sockaddr_un sa;
	int fd, rc = unix_addr(path, &sa, err);

	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(err, "socket");
	if (connect(fd, (const void *)&sa, sizeof(sa)) < 0) {
		rc = err_set_errno(err, "%s", path);
		(void)close(fd);
		return rc;
	}
	return fd;
}

int os_unix_listen(const char *path, mode_t mode, struct errbuf *err)
{
	struct sockaddr_un sa;
	int fd, probe, rc = unix_addr(path, &sa, err);

	if (rc)
		return rc;
	probe = os_unix_connect(path, NULL);
	if (probe >= 0) {
		(void)close(probe);
		return err_set(err, SL_EBUSY, "%s: a running process listens there", path);
	}
	(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set_errno(err, "socket");
	if (bind(fd, (const void *)&sa, sizeof(sa)) < 0 || chmod(path, mode) < 0 ||
		listen(fd, 128) < 0) {
		rc = err_set_errno(err, "%s", path);
		(void)close(fd);
		return rc;
	}
	return fd;
}

/* Reads up to size octets; *ret_n gets what there was. */
static int read_all(int fd, char *data, size_t size, size_t *ret_n)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, data + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret_n = n;
	return 0;
}

int os_read_file(
	const char *path, size_t max, char **ret_data, size_t *ret_size, struct errbuf *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	size_t size = 4096, n = 0, got = 0;
	char *data = NULL;

	if (fd < 0)
		return err_set_errno(err, "%s", path);
	for (;;) {
		char *more = realloc(data, size + 1);

		rc = SL_ENOMEM;
		if (!more)
			goto out;
		data = more;
		rc = read_all(fd, data + n, size - n, &got);
		if (rc)
			goto out;
		n += got;
		if (n < size)
			break;
		rc = SL_ELIMIT;
		if (n > max)
			goto out;
		size *= 2;
	}
	rc = n > max ? SL_ELIMIT : 0;
out:
	(void)close(fd);
	if (rc) {
		free(data);
		return err_set(err, rc, "%s: %s", path, sl_strerror(rc));
	}
	data[n] = '\0';
	*ret_data = data;
	*ret_size = n;
	return 0;
}

static int write_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t put = write(fd, data, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		data += put;
		n -= (size_t)put;
	}
	return 0;
}

/* Makes the rename in path's folder durable. */
static void sync_folder(const char *path)
{
	char dir[SL_MAX_PATH];
	const char *slash = strrchr(path, '/');
	int fd;

	(void)snprintf(
		dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	(void)close(fd);
}

int os_write_file(const char *path, const void *data, size_t n, mode_t mode, struct errbuf *err)
{
	char tmp[SL_MAX_PATH];
	int fd, rc;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.tmp.%d", path, (int)getpid()) >= sizeof(tmp))
		return err_set(err, SL_ELIMIT, "%s: path too long", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set_errno(err, "%s", tmp);
	rc = write_all(fd, data, n);
	if (!rc && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && !rc)
		rc = -errno;
	if (!rc && rename(tmp, path) < 0)
		rc = -errno;
	if (rc) {
		(void)unlink(tmp);
		return err_set(err, rc, "%s: %s", path, sl_strerror(rc));
	}
	sync_folder(path);
	return 0;
}

int os_map_file(
	const char *path, size_t max, const void **ret_data, size_t *ret_size, struct errbuf *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
	struct stat st;
	void *p;

	if (fd < 0)
		return err_set_errno(err, "%s", path);
	if (fstat(fd, &st) < 0)
		rc = err_set_errno(err, "%s", path);
	else if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		rc = err_set(err, SL_EFORMAT, "%s: not a file with content", path);
	else if ((uint64_t)st.st_size > max)
		rc = err_set(err, SL_ELIMIT, "%s: over %zu octets", path, max);
	if (rc) {
		(void)close(fd);
		return rc;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		rc = err_set_errno(err, "%s: mmap", path);
	(void)close(fd);
	if (rc)
		return rc;
	*ret_data = p;
	*ret_size = (size_t)st.st_size;
	return 0;
}

void os_unmap(const void *data, size_t size)
{
	if (data)
		(void)munmap((void *)(uintptr_t)data, size);
}

int os_mkdirs(const char *path, mode_t mode, struct errbuf *err)
{
	char p[SL_MAX_PATH];
	size_t n = strlen(path);

	if (n >= sizeof(p))
		return err_set(err, SL_ELIMIT, "%s: path too long", path);
	memcpy(p, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (p[i] != '/' && p[i] != '\0')
			continue;
		p[i] = '\0';
		if (mkdir(p, mode) < 0 && errno != EEXIST)
			return err_set_errno(err, "%s", p);
		p[i] = path[i];
	}
	return 0;
}
