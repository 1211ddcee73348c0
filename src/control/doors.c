/* SPDX-License-Identifier: Apache-2.0 */
#define SL_ALLOW_CLOCK /* ldns.h takes in openssl, which has a function of a poisoned name */
#include "control/doors.h"

#include "base/os.h"
#include "conf/conf.h"

#include <curl/curl.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ANSWER = 4096 };

/* Mutex: `door`, `n`, `interval_ms`, `zone`, `stop`; never held across I/O. */
struct control_doors {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running, stop, anew; /* anew: other doors since the round began */
	struct control_door door[DOORS_MAX];
	uint32_t n, fails[DOORS_MAX];
	uint64_t interval_ms; /* 0: never */
	char zone[SL_DNS_NAME_MAX + 1];
};

static bool wait_for(int fd, short what, uint64_t until_ms)
{
	struct pollfd p = {.fd = fd, .events = what};
	uint64_t now = os_mono_ms();
	int n = now < until_ms ? poll(&p, 1, (int)(until_ms - now)) : 0;

	return n > 0 && (p.revents & what);
}

/* Exactly n octets. */
static bool receive_all(int fd, uint8_t *p, size_t n, uint64_t until_ms)
{
	while (n) {
		ssize_t got = wait_for(fd, POLLIN, until_ms) ? recv(fd, p, n, 0) : 0;

		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

static bool exchange(int fd, bool tcp, const uint8_t *q, size_t n, uint8_t *answer, size_t *ret_n,
	uint64_t until_ms)
{
	uint8_t head[2] = {(uint8_t)(n >> 8), (uint8_t)n};
	ssize_t got;

	if (!wait_for(fd, POLLOUT, until_ms) ||
		(tcp && send(fd, head, 2, MSG_NOSIGNAL | MSG_MORE) != 2) ||
		send(fd, q, n, MSG_NOSIGNAL) != (ssize_t)n)
		return false;
	if (tcp) {
		if (!receive_all(fd, head, 2, until_ms))
			return false;
		*ret_n = SL_MIN((size_t)(head[0] << 8 | head[1]), (size_t)MAX_ANSWER);
		return receive_all(fd, answer, *ret_n, until_ms);
	}
	got = wait_for(fd, POLLIN, until_ms) ? recv(fd, answer, MAX_ANSWER, 0) : 0;
	*ret_n = got > 0 ? (size_t)got : 0;
	return got > 0;
}

/* Whether it is the answer to this question, and a good one. */
static bool is_answer(const uint8_t *q, const uint8_t *answer, size_t n)
{
	return n >= 12 && memcmp(q, answer, 2) == 0 && (answer[2] & 0x80) && (answer[3] & 15) == 0;
}

static bool ask_dns(const char *address, const char *zone, bool tcp)
{
	uint64_t until_ms = os_mono_ms() + DOORS_TIMEOUT_MS;
	uint8_t *q = NULL, answer[MAX_ANSWER];
	ldns_pkt *pkt = NULL;
	struct os_addr addr;
	size_t n = 0, got = 0;
	bool good = false;
	int fd = -1;

	if (os_addr_parse(address, &addr, NULL) == 0 &&
		ldns_pkt_query_new_frm_str(&pkt, zone, LDNS_RR_TYPE_SOA, LDNS_RR_CLASS_IN, 0) ==
			LDNS_STATUS_OK) {
		ldns_pkt_set_id(pkt, (uint16_t)os_random64());
		if (ldns_pkt2wire(&q, pkt, &n) == LDNS_STATUS_OK)
			fd = socket(addr.ss.ss_family,
				(tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (fd >= 0 && (connect(fd, (const struct sockaddr *)&addr.ss, addr.len) == 0 ||
			       errno == EINPROGRESS))
		good = exchange(fd, tcp, q, n, answer, &got, until_ms) && is_answer(q, answer, got);
	if (fd >= 0)
		(void)close(fd);
	ldns_pkt_free(pkt);
	free(q);
	return good;
}

static size_t drop(char *data, size_t size, size_t count, void *ctx)
{
	(void)data;
	(void)ctx;
	return size * count;
}

/* The certificate is for the name that clients use, which is not ours to know here. */
static bool ask_http(const char *address, bool tls)
{
	char url[160], at[80];
	struct os_addr addr;
	CURL *curl = curl_easy_init();
	long status = 0;

	if (!curl || os_addr_parse(address, &addr, NULL)) {
		curl_easy_cleanup(curl);
		return false;
	}
	os_addr_format((const struct sockaddr *)&addr.ss, at, sizeof(at));
	(void)snprintf(url, sizeof(url), "%s://%s/readyz", tls ? "https" : "http", at);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)DOORS_TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
	if (curl_easy_perform(curl) == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	return status == 200;
}

static bool ask(const struct control_door *d, const char *zone)
{
	if (strncmp(d->door, "dns-", 4) == 0)
		return ask_dns(d->address, zone, strcmp(d->door, "dns-tcp") == 0);
	return ask_http(d->address, strcmp(d->door, "https") == 0);
}

static void note(struct control_doors *d, uint32_t i, bool good, double seconds)
{
	struct control_door *k = &d->door[i];

	d->fails[i] = good ? 0 : d->fails[i] + 1;
	k->failures += !good;
	k->up = good || (k->up && d->fails[i] < DOORS_FAILS);
	if (good)
		k->seconds = seconds;
	k->known = k->up || d->fails[i] >= DOORS_FAILS;
}

/* Asks every door once, or until there are others. */
static void look_around(struct control_doors *d)
{
	struct control_door door[DOORS_MAX];
	char zone[sizeof(d->zone)];
	uint32_t n;

	(void)pthread_mutex_lock(&d->lock);
	n = d->n;
	memcpy(door, d->door, n * sizeof(door[0]));
	memcpy(zone, d->zone, sizeof(zone));
	(void)pthread_mutex_unlock(&d->lock);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t start_ns = os_mono_ns();
		bool good = ask(&door[i], zone), over;
		double seconds = (double)(os_mono_ns() - start_ns) / 1e9;

		(void)pthread_mutex_lock(&d->lock);
		over = d->anew || d->stop;
		if (!over)
			note(d, i, good, seconds);
		(void)pthread_mutex_unlock(&d->lock);
		if (over)
			return;
	}
}

static void *loop(void *arg)
{
	struct control_doors *d = arg;
	struct timespec until;

	(void)pthread_mutex_lock(&d->lock);
	while (!d->stop) {
		uint64_t due_ms = os_mono_ms() + d->interval_ms;
		bool any = d->n > 0 && d->interval_ms;

		d->anew = false;
		if (any) {
			(void)pthread_mutex_unlock(&d->lock);
			look_around(d);
			(void)pthread_mutex_lock(&d->lock);
		}
		until.tv_sec = (time_t)(due_ms / 1000);
		until.tv_nsec = (long)(due_ms % 1000) * 1000000;
		while (!d->stop && !d->anew && (!any || os_mono_ms() < due_ms))
			if (any)
				(void)pthread_cond_timedwait(&d->wake, &d->lock, &until);
			else
				(void)pthread_cond_wait(&d->wake, &d->lock);
	}
	(void)pthread_mutex_unlock(&d->lock);
	return NULL;
}

int control_doors_new(struct control_doors **ret_doors, struct errbuf *err)
{
	struct control_doors *d = calloc(1, sizeof(*d));
	pthread_condattr_t attr;

	if (!d)
		return err_set(err, SL_ENOMEM, "out of memory");
	(void)pthread_mutex_init(&d->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&d->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	d->running = pthread_create(&d->thread, NULL, loop, d) == 0;
	if (!d->running) {
		control_doors_free(d);
		return err_set(err, SL_ENOMEM, "cannot start the thread that looks at doors");
	}
	*ret_doors = d;
	return 0;
}

void control_doors_free(struct control_doors *d)
{
	if (!d)
		return;
	(void)pthread_mutex_lock(&d->lock);
	d->stop = true;
	(void)pthread_cond_signal(&d->wake);
	(void)pthread_mutex_unlock(&d->lock);
	if (d->running)
		(void)pthread_join(d->thread, NULL); /* DOORS_TIMEOUT_MS at most */
	(void)pthread_cond_destroy(&d->wake);
	(void)pthread_mutex_destroy(&d->lock);
	free(d);
}

static void add(struct control_doors *d, const char *door, const char *plane,
	const char *const *address, uint32_t n)
{
	for (uint32_t i = 0; i < n && d->n < DOORS_MAX; i++) {
		struct control_door *k = &d->door[d->n++];

		*k = (struct control_door){.door = door, .plane = plane};
		(void)snprintf(k->address, sizeof(k->address), "%s", address[i]);
	}
}

void control_doors_configure(struct control_doors *d, const struct conf *conf)
{
	const struct conf_listen *l = &conf->sluice.listen;

	(void)pthread_mutex_lock(&d->lock);
	if (d->n == 0) { /* a reload opens no listeners */
		add(d, "dns-udp", "answer", l->dns, l->dns_count);
		add(d, "dns-tcp", "answer", l->dns, l->dns_count);
		add(d, "http", "answer", l->http, l->http_count);
		add(d, "https", "answer", l->https, l->https_count);
		add(d, "reports", "collect", l->reports, l->reports_count);
	}
	d->interval_ms = (uint64_t)conf->sluice.alerts.doors_s * 1000;
	(void)snprintf(d->zone, sizeof(d->zone), "%s",
		conf->catalog.zones_count ? conf->catalog.zones[0].name : ".");
	d->anew = true;
	(void)pthread_cond_signal(&d->wake);
	(void)pthread_mutex_unlock(&d->lock);
}

uint32_t control_doors_states(struct control_doors *d, struct control_door ret[static DOORS_MAX])
{
	uint32_t n;

	(void)pthread_mutex_lock(&d->lock);
	n = d->interval_ms ? d->n : 0;
	memcpy(ret, d->door, n * sizeof(*ret));
	(void)pthread_mutex_unlock(&d->lock);
	return n;
}
