/* SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/log.h"
#include "base/os.h"
#include "role.h"

#include <errno.h>
#include <poll.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 1600, /* a fallen role is back within two seconds */
	STEADY_MS = 10000,     /* alive this long: the back-off begins anew */
	DRAIN_MS = 10000,      /* from SIGTERM to SIGKILL */
	POLL_MS = 50,
};

struct child {
	const struct role *role;
	pid_t pid; /* 0: not running */
	uint64_t started_ms, due_ms;
	uint32_t backoff_ms;
	uint32_t crashes;        /* in a row, each soon after its start */
	uint64_t falls, fell_ms; /* ever; the last one, unix */
	int kept;                /* memory held for it; -1: none */
};

/* The arguments of a role, behind the program. */
static void run_role(
	const struct child *c, const char *program, const char *path, const char *state)
{
	char kept[16];

	(void)snprintf(kept, sizeof(kept), "%d", c->kept);
	if (c->kept < 0 || fcntl(c->kept, F_SETFD, 0) < 0)
		(void)execl(program, "sluiced", "--role", c->role->name, "-c", path, "--good",
			state, (char *)NULL);
	else
		(void)execl(program, "sluiced", "--role", c->role->name, "-c", path, "--good",
			state, "--kept", kept, (char *)NULL);
}

static void start(struct child *c, const char *program, const char *path, const char *state)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0) {
		LOG_E("supervise.fork", "role=%s error=\"%s\"", c->role->name, strerror(errno));
		c->due_ms = os_mono_ms() + BACKOFF_MAX_MS;
		return;
	}
	if (pid == 0) {
		/* a role does not outlive its supervisor: a new one could not bind its tallies */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
		run_role(c, program, path, state);
		_exit(127);
	}
	c->pid = pid;
	c->started_ms = os_mono_ms();
	LOG_I("supervise.started", "role=%s pid=%d", c->role->name, (int)pid);
}

static bool is_crash(int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	return sig == SIGSEGV || sig == SIGBUS || sig == SIGABRT || sig == SIGFPE || sig == SIGILL;
}

/* What crashes a process twice in a row is not fed to it again: control makes it anew, or the last
 * state begins from nothing. It stays beside for whoever looks into it. */
static void set_aside(const struct role *role, const char *state)
{
	for (int i = 0; i < ROLE_MAX_STORED && role->stored[i]; i++) {
		char from[SL_MAX_PATH], to[SL_MAX_PATH];

		(void)snprintf(from, sizeof(from), "%.900s/%s", state, role->stored[i]);
		(void)snprintf(to, sizeof(to), "%.900s/%s.set-aside", state, role->stored[i]);
		if (rename(from, to) == 0)
			LOG_E("supervise.set_aside",
				"role=%s file=%s reason=\"crashed twice in a row\"", role->name,
				to);
	}
}

/* Memory that a role's successor goes on with. What a role crashed with twice is given up. */
static void hold_memory(struct child *c)
{
	if (c->kept >= 0) {
		(void)close(c->kept);
		LOG_E("supervise.set_aside",
			"role=%s file=memory reason=\"crashed twice in a row\"", c->role->name);
	}
	c->kept = c->role->keeps ? memfd_create(c->role->name, MFD_CLOEXEC) : -1;
}

static void fell(struct child *c, int status, const char *state)
{
	uint64_t now = os_mono_ms();

	if (now - c->started_ms >= STEADY_MS || c->backoff_ms == 0) {
		c->backoff_ms = BACKOFF_MIN_MS;
		c->crashes = 0;
	} else {
		c->backoff_ms = SL_MIN(c->backoff_ms * 2, (uint32_t)BACKOFF_MAX_MS);
	}
	c->crashes += is_crash(status);
	if (c->crashes == 2) {
		set_aside(c->role, state);
		hold_memory(c);
		c->crashes = 0;
	}
	c->pid = 0;
	c->due_ms = now + c->backoff_ms;
	c->falls++;
	c->fell_ms = os_now_ms();
	LOG_E("supervise.fell", "role=%s %s=%d restart_in_ms=%u", c->role->name,
		WIFSIGNALED(status) ? "signal" : "exit",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), c->backoff_ms);
}

/* For control to show: STATE/falls, "ROLE TIMES UNIX_MS" a line. */
static void tell(const struct child *children, size_t n, const char *state)
{
	char path[SL_MAX_PATH], text[256];
	size_t at = 0;

	for (size_t i = 0; i < n && at < sizeof(text); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s %llu %llu\n",
			children[i].role->name, (unsigned long long)children[i].falls,
			(unsigned long long)children[i].fell_ms);
	(void)snprintf(path, sizeof(path), "%.900s/falls", state);
	(void)os_write_file(path, text, SL_MIN(at, sizeof(text) - 1), 0644, NULL);
}

static void reap(struct child *children, size_t n, const char *state)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < n; i++)
			if (children[i].pid == pid) {
				fell(&children[i], status, state);
				tell(children, n, state);
			}
}

static void signal_all(const struct child *children, size_t n, int sig)
{
	for (size_t i = 0; i < n; i++)
		if (children[i].pid)
			(void)kill(children[i].pid, sig);
}

static bool any_left(struct child *children, size_t n)
{
	int status;
	bool left = false;

	for (size_t i = 0; i < n; i++) {
		if (children[i].pid && waitpid(children[i].pid, &status, WNOHANG) != 0)
			children[i].pid = 0;
		left |= children[i].pid != 0;
	}
	return left;
}

static int stop_all(struct child *children, size_t n)
{
	uint64_t until = os_mono_ms() + DRAIN_MS;

	signal_all(children, n, SIGTERM);
	while (any_left(children, n)) {
		if (os_mono_ms() >= until) {
			LOG_E("supervise.killed", "reason=\"did not stop in %d ms\"", DRAIN_MS);
			signal_all(children, n, SIGKILL);
			until = UINT64_MAX;
		}
		(void)poll(NULL, 0, POLL_MS);
	}
	LOG_I("supervise.stopped", "signal=%d", (int)role_stop);
	return 0;
}

/* Locks the state folder for as long as this process lives. Listeners share their ports, so a
 * second daemon would take half of what comes in before any of its roles noticed the first. */
static bool hold_state(const char *state)
{
	int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	LOG_E("supervise.refused", "state=\"%s\" error=\"%s\"", state,
		fd >= 0 && errno == EWOULDBLOCK ? "another sluiced runs on this folder"
						: strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return false;
}

int supervise(const char *program, const char *path, const char *state)
{
	struct child children[SL_COUNT(roles)] = {{0}};
	const size_t n = SL_COUNT(roles);

	if (!hold_state(state))
		return 1;
	for (size_t i = 0; i < n; i++) {
		children[i].role = &roles[i];
		children[i].kept = -1;
		hold_memory(&children[i]);
	}
	tell(children, n, state);
	while (!role_stop) {
		reap(children, n, state);
		for (size_t i = 0; i < n; i++)
			if (!children[i].pid && os_mono_ms() >= children[i].due_ms)
				start(&children[i], program, path, state);
		if (role_reload) {
			role_reload = 0;
			signal_all(children, n, SIGHUP);
		}
		(void)poll(NULL, 0, POLL_MS); /* a signal ends it early */
	}
	return stop_all(children, n);
}
