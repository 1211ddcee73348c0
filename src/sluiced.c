/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: reads its arguments, then supervises the three roles or runs one. */
#include "base/log.h"
#include "base/os.h"
#include "good.h"
#include "role.h"
#include "sense/sense.h"
#include "world/cat_build.h"

#include <cap-ng.h>
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

const struct role roles[3] = {
	{"answer", {"world/tick.blob"}, false, role_answer},
	{"control", {"engine.state", "ledger.state", "breaker.state", "ingest.state", "facts.blob"},
		false, role_control},
	{"collect", {NULL}, true, role_collect},
};

int role_kept = -1;

volatile sig_atomic_t role_stop, role_reload;

static void on_signal(int sig)
{
	if (sig == SIGHUP)
		role_reload = 1;
	else
		role_stop = sig;
}

void role_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &sa, NULL);
}

int role_become_user(const struct conf *conf, struct errbuf *err)
{
	const char *user = conf->sluice.user;
	pid_t parent = getppid();
	int on_parents_end = 0;
	struct passwd *pw;

	if (!user || getuid() != 0)
		return 0;
	(void)prctl(PR_GET_PDEATHSIG, &on_parents_end);
	pw = getpwnam(user);
	if (!pw)
		return err_set(err, SL_ENOENT, "user \"%s\" does not exist", user);
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_BIND_SERVICE,
		    CAP_NET_ADMIN, -1) < 0 ||
		capng_change_id((int)pw->pw_uid, (int)pw->pw_gid,
			CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) < 0)
		return err_set_errno(err, "cannot become user \"%s\"", user);
	/* the kernel takes it back from who changes user */
	(void)prctl(PR_SET_PDEATHSIG, on_parents_end);
	if (on_parents_end && getppid() != parent)
		return err_set(err, SL_EREFUSED, "the supervisor is gone");
	return 0;
}

int role_drop_capabilities(const struct conf *conf, struct errbuf *err)
{
	if (!conf->sluice.user || getuid() == 0)
		return 0;
	capng_clear(CAPNG_SELECT_BOTH);
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? err_set_errno(err, "cannot drop capabilities")
						  : 0;
}

/* The state folder is made, and given to the user that the roles become. keep: the configuration
 * has passed every check, and they may fall back on it. */
static int prepare_state(const struct conf *conf, bool keep, struct errbuf *err)
{
	const char *user = conf->sluice.user;
	struct passwd *pw = user && getuid() == 0 ? getpwnam(user) : NULL;
	char good[SL_MAX_PATH];
	int rc = os_mkdirs(conf->sluice.state, 0755, err);

	if (!rc && keep)
		rc = good_write(conf, err);
	(void)snprintf(good, sizeof(good), "%.900s/config.good", conf->sluice.state);
	if (!rc && pw &&
		(chown(conf->sluice.state, pw->pw_uid, pw->pw_gid) < 0 ||
			(keep && chown(good, pw->pw_uid, pw->pw_gid) < 0)))
		rc = err_set_errno(err, "%s", conf->sluice.state);
	return rc;
}

static void usage(FILE *out)
{
	(void)fputs(
		"usage: sluiced -c FILE [-t] [--role answer|control|collect]\n"
		"\n"
		"Schedules the clients of live video over several CDN vendors: answers DNS and\n"
		"HTTP, takes player reports, and is operated with sluicectl. Runs in the "
		"foreground.\n"
		"\n"
		"  -c, --config FILE     configuration (default " SL_SYSCONFDIR "/sluice.yaml)\n"
		"  -t, --test            check the configuration and exit: 0 good, 1 refused\n"
		"      --role ROLE       run one of the three processes alone\n"
		"      --print-defaults  every option with its default and documentation\n"
		"      --version         version\n"
		"  -h, --help            this text\n"
		"\n"
		"SIGHUP reads the configuration again; a bad one changes nothing. SIGTERM "
		"drains.\n",
		out);
}

struct args {
	const char *config, *role, *state;
	bool test;
};

/* -1: go on; else the exit code. */
static int parse_args(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"test", no_argument, NULL, 't'}, {"role", required_argument, NULL, 'r'},
		{"good", required_argument, NULL, 'g'}, {"kept", required_argument, NULL, 'k'},
		{"print-defaults", no_argument, NULL, 'd'}, {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "c:th", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 't':
			a->test = true;
			break;
		case 'r':
			a->role = optarg;
			break;
		case 'g': /* of the supervisor: where the last good configuration is */
			a->state = optarg;
			break;
		case 'k': /* of the supervisor: descriptor of the memory it holds */
			role_kept = (int)strtol(optarg, NULL, 10);
			break;
		case 'd':
			conf_print_defaults(stdout);
			return 0;
		case 'V':
			(void)puts("sluiced " PACKAGE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "sluiced: unexpected argument \"%s\"\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	return -1;
}

static int run_role(const char *name, const char *path, struct conf *conf)
{
	struct errbuf err = {""};

	for (size_t i = 0; i < SL_COUNT(roles); i++)
		if (strcmp(name, roles[i].name) == 0) {
			log_set_role(roles[i].name);
			if (role_become_user(conf, &err)) {
				LOG_E("role.refused", "error=\"%s\"", err.s);
				conf_free(conf);
				return 1;
			}
			return roles[i].run(path, conf);
		}
	(void)fprintf(stderr, "sluiced: no role \"%s\": answer, control or collect\n", name);
	conf_free(conf);
	return 2;
}

/* Whether this process goes by more of the configuration than the files say of themselves: control
 * makes the catalogue of it, answer and collect have that from control. */
static bool needs_all(const struct args *a)
{
	return !a->role || strcmp(a->role, "control") == 0;
}

/* The configuration; for a child of the supervisor the last good one where it is refused. */
static int load(const struct args *a, struct conf **ret_conf)
{
	struct errbuf err = {""};
	int rc = conf_load(a->config, ret_conf, &err);

	if (!rc && needs_all(a)) {
		rc = cat_try(*ret_conf, &err);
		if (!rc)
			rc = sense_check(*ret_conf, &err);
		if (rc)
			conf_free(*ret_conf);
	}
	if (!rc)
		return 0;
	if (!a->state) {
		(void)fprintf(stderr, "%s\n", err.s);
		return rc;
	}
	LOG_E("conf.refused", "cause=start use=last_good error=\"%s\"", err.s);
	rc = good_load(a->state, ret_conf, &err);
	if (rc)
		LOG_E("conf.refused", "cause=start error=\"%s\"", err.s);
	return rc;
}

int main(int argc, char **argv)
{
	struct args a = {.config = SL_SYSCONFDIR "/sluice.yaml"};
	struct errbuf err = {""};
	struct conf *conf;
	int rc = parse_args(argc, argv, &a);

	if (rc >= 0)
		return rc;
	rc = load(&a, &conf);
	if (rc)
		return 1;
	if (a.test) {
		rc = conf_check_geo_files(conf, &err);
		(void)(rc ? fprintf(stderr, "%s\n", err.s) : printf("%s: good\n", a.config));
		conf_free(conf);
		return rc ? 1 : 0;
	}
	log_set_level((enum log_level)conf->sluice.log.level);
	role_signals();
	os_raise_descriptors();
	rc = prepare_state(conf, !a.role, &err);
	if (rc) {
		(void)fprintf(stderr, "%s\n", err.s);
		conf_free(conf);
		return 1;
	}
	if (a.role)
		return run_role(a.role, a.config, conf);
	rc = supervise("/proc/self/exe", a.config, conf->sluice.state);
	conf_free(conf);
	return rc;
}
