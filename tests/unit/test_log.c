/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/os.h"

static char text[1 << 20];

/* What write() says on standard error; cuts `text` anew. */
static size_t caught(void (*write_lines)(void))
{
	int pipes[2], kept = dup(STDERR_FILENO);
	size_t n = 0;
	ssize_t got;

	assert_int_equal(pipe(pipes), 0);
	(void)fcntl(pipes[1], F_SETPIPE_SZ, 1 << 20);
	assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
	write_lines();
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	(void)close(pipes[1]);
	while (n < sizeof(text) - 1 && (got = read(pipes[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	(void)close(pipes[0]);
	text[n] = '\0';
	return n;
}

static unsigned lines_with(const char *word)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
		n++;
	return n;
}

static void one_line(void)
{
	log_set_role("control");
	LOG_W("area.what", "key=%d text=\"%s\"", 7, "a\nb\tc");
	log_set_role(NULL);
}

static void an_event_is_one_line_of_pairs(void **state)
{
	unsigned y, mo, d, h, mi, s, ms;
	int end = 0;

	(void)state;
	(void)caught(one_line);
	assert_int_equal(sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ %n", &y, &mo, &d, &h, &mi, &s,
				 &ms, &end),
		7);
	assert_string_equal(text + end, "warn control area.what key=7 text=\"a b c\"\n");
}

static void many_lines(void)
{
	uint64_t second = os_now_ms() / 1000;

	for (int i = 0; i < 1000; i++) {
		LOG_I("flood", "i=%d", i);
		if (i % 100 == 0)
			LOG_I("trickle", "i=%d", i);
	}
	while (os_now_ms() / 1000 <= second + 1) /* the limit is by the second */
		(void)poll(NULL, 0, 10);
	LOG_I("flood", "last=1");
}

static void a_flood_of_one_event_is_held_back_and_counted(void **state)
{
	uint64_t second = os_now_ms() / 1000;
	unsigned written, held = 0;
	const char *at;

	(void)state;
	(void)caught(many_lines);
	written = lines_with(" flood ");
	/* 20 a second, and the last */
	assert_in_range(written, 21, 20 * (os_now_ms() / 1000 - second + 1) + 1);
	assert_int_equal(lines_with(" trickle "), 10);
	assert_non_null(strstr(text, "last=1 suppressed="));
	for (at = text; (at = strstr(at, "suppressed=")); at++)
		held += (unsigned)strtoul(at + strlen("suppressed="), NULL, 10);
	assert_int_equal(written + held, 1001);
}

static void a_long_line(void)
{
	static char long_text[10000];

	memset(long_text, 'x', sizeof(long_text) - 1);
	LOG_E("long", "text=%s", long_text);
	log_set_level(LOG_WARN);
	LOG_I("quiet", "x=1");
	log_set_level(LOG_INFO);
}

static void a_long_line_is_cut_and_levels_count(void **state)
{
	(void)state;
	assert_int_equal(caught(a_long_line), 2047);
	assert_true(text[2046] == '\n');
	assert_null(strstr(text, "quiet"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_one_line_of_pairs),
		cmocka_unit_test(a_flood_of_one_event_is_held_back_and_counted),
		cmocka_unit_test(a_long_line_is_cut_and_levels_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
