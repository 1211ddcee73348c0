/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that looks at our own doors, with nothing to look at. */
#include "test.h"

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/os.h"
#include "conf/conf.h"
#include "control/doors.h"

enum { PATIENCE_MS = 10000 };

/* The first line of a file of the only other thread. */
static void read_thread(const char *file, char *ret, size_t size)
{
	char path[300] = "";
	struct dirent *e;
	DIR *d = opendir("/proc/self/task");
	FILE *f;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && strtol(e->d_name, NULL, 10) != getpid())
			(void)snprintf(
				path, sizeof(path), "/proc/self/task/%s/%s", e->d_name, file);
	(void)closedir(d);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(ret, (int)size, f));
	(void)fclose(f);
}

static uint64_t ran_ns(void)
{
	char line[256];

	read_thread("schedstat", line, sizeof(line));
	return strtoull(line, NULL, 10);
}

static bool sleeps(void)
{
	char line[512];
	const char *state;

	read_thread("stat", line, sizeof(line));
	state = strrchr(line, ')');
	assert_non_null(state);
	return state[2] == 'S';
}

/* A control process of its own, with no listener in its configuration. */
static void without_doors_the_thread_sleeps(void **state)
{
	static struct conf conf;
	struct control_door door[DOORS_MAX];
	uint64_t until_ms = os_mono_ms() + PATIENCE_MS, ran;
	struct control_doors *d;
	struct errbuf err;

	(void)state;
	conf.sluice.alerts.doors_s = 1;
	assert_int_equal(control_doors_new(&d, &err), 0);
	ran = ran_ns();
	control_doors_configure(d, &conf);
	while (ran_ns() == ran && os_mono_ms() < until_ms)
		(void)sched_yield();
	while (!sleeps() && os_mono_ms() < until_ms)
		(void)sched_yield();
	assert_true(sleeps());
	assert_int_equal(control_doors_states(d, door), 0);
	control_doors_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_doors_the_thread_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
