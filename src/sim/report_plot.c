/* SPDX-License-Identifier: Apache-2.0 */
/* A picture of one run, by gnuplot. */
#include "sim/report.h"

#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COLUMNS = 5 }; /* per vendor: load, guarantee, maximum, share, forecast */

static void script(const struct scenario *s, FILE *to, const char *data, const char *file)
{
	uint32_t n = s->f.vendors_count;

	/* an underscore of a name is no subscript; and a second is at the same place in all plots
	 */
	fprintf(to, "set terminal pngcairo noenhanced size 1400,%u\nset output '%s'\n",
		260 * n + 520, file);
	fprintf(to, "set lmargin at screen 0.06\nset rmargin at screen 0.86\n");
	fprintf(to, "set multiplot layout %u,1 title '%s'\nset grid\nset xlabel 's'\n", n + 2,
		s->f.name);
	fprintf(to, "set key outside right\nset yrange [0:0.01<*]\nset offsets 0,0,graph 0.05,0\n");
	for (uint32_t v = 0; v < n; v++) {
		uint32_t c = 2 + v * COLUMNS;

		fprintf(to, "set ylabel 'Gbps'\nplot '%s' using 1:($%u/1000) with lines title '%s'",
			data, c, s->f.vendors[v].name);
		fprintf(to, ", '' using 1:($%u/1000) with lines dashtype 2 title 'guaranteed'",
			c + 1);
		fprintf(to, ", '' using 1:($%u/1000) with lines linecolor 'red' title 'maximum'",
			c + 2);
		fprintf(to, ", '' using 1:($%u/1000) with lines dashtype 3 title 'forecast'\n",
			c + 4);
	}
	fprintf(to, "set ylabel 'share'\nplot ");
	for (uint32_t v = 0; v < n; v++)
		fprintf(to, "%s'%s' using 1:%u with lines title '%s'", v ? ", " : "", data,
			2 + v * COLUMNS + 3, s->f.vendors[v].name);
	fprintf(to, "\nset ylabel 'stall rate'\nplot '%s' using 1:%u with lines title 'stalled'\n",
		data, 2 + n * COLUMNS);
	fprintf(to, "unset multiplot\n");
}

static int run_gnuplot(char *script, struct errbuf *err)
{
	char program[] = "gnuplot", *argv[] = {program, script, NULL};
	int status = 0, rc;
	pid_t pid;

	rc = posix_spawnp(&pid, program, NULL, NULL, argv, environ);
	if (rc)
		return err_set(
			err, -rc, "gnuplot: %s (Debian package gnuplot-nox)", sl_strerror(-rc));
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, SL_EIO, "gnuplot failed");
	return 0;
}

int report_plot(const struct scenario *s, enum policy_kind kind, uint64_t seed, const char *file,
	struct errbuf *err)
{
	char data[] = "/tmp/sluice-sim-XXXXXX", name[] = "/tmp/sluice-sim-XXXXXX";
	int data_fd, name_fd, rc;
	struct report_run run;
	FILE *f;

	if (strchr(file, '\'') || strchr(file, '\n'))
		return err_set(err, SL_EINVAL, "%s: no quotes in the name of a picture", file);
	data_fd = mkstemp(data);
	name_fd = mkstemp(name);
	f = data_fd >= 0 ? fdopen(data_fd, "we") : NULL;
	rc = f && name_fd >= 0 ? report_run(s, kind, seed, f, &run)
			       : err_set_errno(err, "temporary file");
	if (f)
		(void)fclose(f);
	f = name_fd >= 0 ? fdopen(name_fd, "we") : NULL;
	if (f) {
		script(s, f, data, file);
		(void)fclose(f);
	}
	if (rc == 0)
		rc = run_gnuplot(name, err);
	(void)unlink(data);
	(void)unlink(name);
	return rc;
}
