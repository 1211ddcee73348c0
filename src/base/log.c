/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/hash.h"
#include "base/os.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_OCTETS = 2048, LIMIT_SLOTS = 256, LIMIT_BURST = 20 };

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static _Atomic int max_level = LOG_INFO; /* relaxed; any writer */
static const char *_Atomic role_now;     /* static text */
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	uint64_t second;
	uint32_t written, held;
} limits[LIMIT_SLOTS]; /* under limit_lock; events that share a slot share its budget */

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
	return (enum log_level)atomic_load_explicit(&max_level, memory_order_relaxed);
}

int log_level_parse(const char *name)
{
	for (size_t i = 0; i < SL_COUNT(level_names); i++)
		if (strcmp(name, level_names[i]) == 0)
			return (int)i;
	return -1;
}

void log_set_role(const char *role)
{
	atomic_store(&role_now, role);
}

const char *log_role(void)
{
	const char *role = atomic_load(&role_now);

	return role ? role : "";
}

/* Whether this line may go out; *ret_held gets the number held back before it. */
static bool limit_pass(const char *event, uint64_t second, uint32_t *ret_held)
{
	size_t slot = hash64(event, strlen(event), 0) % LIMIT_SLOTS;
	bool pass;

	pthread_mutex_lock(&limit_lock);
	if (limits[slot].second != second) {
		limits[slot].second = second;
		limits[slot].written = 0;
	}
	pass = limits[slot].written < LIMIT_BURST;
	*ret_held = pass ? limits[slot].held : 0;
	if (pass) {
		limits[slot].written++;
		limits[slot].held = 0;
	} else {
		limits[slot].held++;
	}
	pthread_mutex_unlock(&limit_lock);
	return pass;
}

static size_t append(char *line, size_t at, const char *fmt, ...) SL_PRINTF(3, 4);

static size_t append(char *line, size_t at, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line + at, LINE_MAX_OCTETS - 1 - at, fmt, ap);
	va_end(ap);
	if (n < 0)
		return at;
	return SL_MIN(at + (size_t)n, (size_t)LINE_MAX_OCTETS - 2);
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
	const char *role = atomic_load(&role_now);
	char line[LINE_MAX_OCTETS], when[OS_TIME_TEXT];
	uint64_t now_ms;
	uint32_t held;
	size_t n;
	va_list ap;
	int m;

	if (level > log_level())
		return;
	now_ms = os_now_ms();
	if (!limit_pass(event, now_ms / 1000, &held))
		return;
	os_time_text(now_ms, when);
	n = append(line, 0, "%s %s %s%s%s ", when, level_names[level], role ? role : "",
		role ? " " : "", event);
	va_start(ap, fmt);
	m = vsnprintf(line + n, LINE_MAX_OCTETS - 1 - n, fmt, ap);
	va_end(ap);
	if (m > 0)
		n = SL_MIN(n + (size_t)m, (size_t)LINE_MAX_OCTETS - 2);
	if (held)
		n = append(line, n, " suppressed=%u", held);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20)
			line[i] = ' ';
	line[n++] = '\n';
	(void)!write(STDERR_FILENO, line, n);
}
