/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/control share: the state of the process and one call of a command. Longer
 * than a header should be, because every part of the loop is declared in this one place. */
#pragma once

#include <cjson/cJSON.h>
#include <stdio.h>

#include "base/near.h"
#include "base/os.h"
#include "control/control.h"
#include "control/rules.h"
#include "control/streams.h"
#include "control/token.h"
#include "ctl/commands.h"
#include "engine/engine.h"
#include "httpd/httpd.h"
#include "store/store.h"
#include "tally/tally.h"

struct control {
	struct control_options opt;
	char state_dir[SL_MAX_PATH];
	struct httpd *httpd;
	struct httpd_route *routes;
	char tls_path[2][SL_MAX_PATH]; /* certificate and key; empty: none */
	struct timespec tls_time[2];   /* when those in use were written */
	struct engine *engine;
	struct token_digest admin_token; /* of STATE/admin.token */
	uint64_t started_ms, started_mono_ms;
	uint64_t calls, refused; /* of the admin API */

	struct store *store; /* NULL: cannot be used now, store_error says why */
	char store_path[SL_MAX_PATH], store_error[SL_ERRBUF_SIZE];
	uint64_t store_due_ms; /* mono: when to try again, or to look after it */
	struct control_rules rules;
	struct store_stamp rules_stamp; /* of the state that rules were read from */
	bool rules_fresh;
	bool mirror_due; /* the copy of the state is behind */
	uint64_t mirror_after_ms;
	struct control_streams streams; /* of the last catalogue; texts of its configuration */
	struct store_stamp overlay_stamp;
	uint64_t overlay_change, overlay_due_ms; /* change that was seen; mono: next build */
	bool overlay_due;
	struct control_passing *passing; /* what does not hold at once, or for good */
	uint64_t expanded_ms;
	struct control_waiting *waiting; /* audit rows of reads, for the next round */
	uint32_t n_waiting, n_unheard;   /* unheard: calls there was no room to audit */

	/* what history has */
	uint64_t kept_tick, kept_due_ms, kept_generation;
	uint64_t kept_conf; /* conf_loads of the configuration that is kept */
	uint64_t sample_due_ms;

	struct control_events *events;
	struct control_plans *plans;
	struct control_alerts *alerts;
	struct control_doors *doors;
	struct control_bills *bills;
	struct control_decisions *decisions;
	bool config_refused; /* the configuration on disk */
	bool keys_missing;   /* a secret that it names */
	uint64_t plans_due_ms, switches_due_ms;
	/* faults of drills */
	uint64_t store_cut_ms, silenced_ms, facts_cut_ms;
	char silenced[SL_MAX_NAME + 1];
	uint64_t facts_due_ms;

	uint32_t switched_off; /* bit per enum control_switch, as last looked at */
	uint64_t harvest_version, harvest_geo, harvest_catalogue; /* as last handed on */
	uint64_t harvest_down;                                    /* hash of the edges left out */
	struct control_rollup *rollup;                            /* NULL before the first facts */
};

/* Whether it is time again for what is done every so often; *due_ms is when by the monotonic clock:
 * a wall clock that is set back by hours must not stop it for as long. */
static inline bool control_due(uint64_t *due_ms, uint64_t every_ms)
{
	uint64_t now_ms = os_mono_ms();

	if (now_ms < *due_ms)
		return false;
	*due_ms = now_ms + every_ms;
	return true;
}

/* One command being carried out. */
struct control_call {
	struct control *c;
	const struct command *command;
	const cJSON *args; /* object: of texts (GET), or of any values (POST) */
	const struct engine_view *view;
	uint64_t now_ms; /* unix */
	enum command_role role;
	char service[SL_MAX_NAME + 1]; /* pattern a token is bound to; empty: all */
	bool transaction;              /* of the store is open */
	bool confirmed;                /* by a plan, whose own name was typed */
	char who[SL_MAX_NAME + 1];
	char origin[IP_TEXT_MAX + 16];
	cJSON *out; /* object to fill */
	struct errbuf err;
	char *old_catalogue; /* text of the file that the call has replaced; NULL: it has not */
	size_t n_old_catalogue;
};

/* 0, or an error whose text is in call->err. */
typedef int control_fn(struct control_call *call);

/* By id; NULL where the command is local. */
extern control_fn *const control_commands[COMMANDS];

#define COMMAND(id, group, name, method, path, role, traffic, help) CONTROL_DECLARE_##method(id)
#define CONTROL_DECLARE_LOCAL(id)
#define CONTROL_DECLARE_GET(id)  control_fn control_do_##id;
#define CONTROL_DECLARE_POST(id) control_fn control_do_##id;
#define ARG(id, name, need, type, help)
#define OPT(id, name, need, type, metavar, help)
#include "ctl/commands.def"
#undef COMMAND
#undef ARG
#undef OPT

/* The text of a parameter, NULL where it was not given. */
const char *control_arg(const struct control_call *call, const char *name) SL_NONNULL_ALL;
bool control_flag(const struct control_call *call, const char *name) SL_NONNULL_ALL;
double control_number(
	const struct control_call *call, const char *name, double otherwise) SL_NONNULL_ALL;

/* Whether every argument is one of the command's, once, and looks right, and every required one is
 * there. SL_EINVAL. */
int control_check_args(struct control_call *call) SL_NONNULL_ALL;
/* names.c: SL_ENOENT for a vendor, node, service or group that nothing here has ever been called.
 */
int control_check_names(struct control_call *call) SL_NONNULL_ALL;
/* SL_ENOENT, with the name it may stand for. */
int control_no_such(struct control_call *call, const char *what, struct near *n) SL_NONNULL_ALL;

/* SL_EAGAIN with text while there is no world yet. */
int control_need_world(struct control_call *call) SL_NONNULL_ALL;

/* Members of an answer: numbers are rounded to three digits, one that is not finite is null. */
void control_put(cJSON *o, const char *name, double v) SL_NONNULL_ALL;
void control_put_str(cJSON *o, const char *name, struct str v) SL_NONNULL(1, 2);
void control_put_view(cJSON *o, const char *name, const struct blob_head *head) SL_NONNULL_ALL;
void control_put_bool(cJSON *o, const char *name, bool v) SL_NONNULL_ALL;
cJSON *control_add_row(cJSON *list) SL_NONNULL_ALL;

/* Index of (service, group) in the fleet's rows, or BLOB_NONE (not active). */
uint32_t control_find_row(
	const struct engine_view *view, uint32_t service, uint32_t group) SL_NONNULL_ALL SL_PURE;

static inline struct str control_vendor_name(const struct engine_view *view, uint32_t vendor)
{
	return cat_text(&view->world->cat, view->world->cat.vendors[vendor].name);
}

/* Whether a vendor is meant by a name or pattern; NULL means all. */
bool control_names_vendor(const struct engine_view *view, const char *pattern, uint32_t vendor)
	SL_NONNULL(1);

/* The tallies of all workers, mapped for one look. */
struct control_tallies {
	const struct tally *tally[SL_MAX_WORKERS];
	char name[SL_MAX_WORKERS][32]; /* of their files */
	uint32_t n;
};
void control_tallies_open(const struct control *c, struct control_tallies *ret) SL_NONNULL_ALL;
void control_tallies_close(struct control_tallies *t) SL_NONNULL_ALL;

/* Mean share of the vendors over the rows of a service, by demand where there is any; ppm. By slot,
 * the last for none. false: the service has no row. */
bool control_mean_shares(const struct engine_view *view, uint32_t service,
	double ret_ppm[static SCORE_ROW]) SL_NONNULL_ALL;

/* SL_EBUSY with text when the store cannot be used. */
int control_need_store(struct control_call *call) SL_NONNULL_ALL;

/* Whether a change could be kept now, as far as the last ones tell. */
bool control_store_usable(const struct control *c, uint64_t now_ms) SL_NONNULL_ALL SL_PURE;

/* Changes the state in the name of the caller; adds the change's number to the answer. */
int control_change(struct control_call *call, const struct store_item *items, uint32_t n)
	SL_NONNULL(1);

/* SL_EACCES where a token's service does not hold this pattern (NULL: all services); SL_ENOENT for
 * a pattern that no service matches. */
int control_check_service(struct control_call *call, const char *pattern) SL_NONNULL(1);

/* Adds the impact of the rules `then`, and of another configuration if not NULL, to the answer;
 * SL_EREFUSED when it wants a confirmation that was not given. The parts are for who makes an
 * impact by other means. */
int control_weigh(struct control_call *call, const struct control_rules *then,
	const struct conf *conf) SL_NONNULL(1, 2);
/* The same of a change of these keys: rules, and the catalogue. */
int control_weigh_items(struct control_call *call, const struct store_item *items, uint32_t n)
	SL_NONNULL(1);
/* The same of an automatic feature in another state, and of an impact made by other means. */
struct impact_feature;
int control_weigh_feature(
	struct control_call *call, const struct impact_feature *feature) SL_NONNULL_ALL;
struct impact;
int control_weigh_impact(struct control_call *call, const struct impact *m) SL_NONNULL_ALL;
/* Wants a confirmation because this cannot be told: 0, or SL_EREFUSED. */
int control_check_known(struct control_call *call, const char *unknown) SL_NONNULL_ALL;
void control_put_impact(struct control_call *call, const struct impact *m) SL_NONNULL_ALL;
int control_check_confirmed(struct control_call *call, const struct impact *m) SL_NONNULL_ALL;

/* Whose token this is: fills who, role and service. */
bool control_token_find(
	struct control_call *call, const struct token_digest *digest) SL_NONNULL_ALL;

/* journal.c: the store around calls. */
int control_journal_open(
	struct control *c, const struct conf *conf, struct errbuf *err) SL_NONNULL_ALL;
void control_journal_close(struct control *c) SL_NONNULL_ALL;
void control_journal_begin(struct control_call *call) SL_NONNULL_ALL;
/* Audits the call and commits; returns what became of it: rc, or why it could not be kept. */
int control_journal_end(struct control_call *call, int rc) SL_NONNULL_ALL;
void control_journal_round(struct control *c) SL_NONNULL_ALL;
/* Audits a call by somebody we do not know; nothing of what was sent is kept. */
void control_journal_stranger(struct control_call *call) SL_NONNULL_ALL;

/* A change by the daemon itself ("expiry", "plan:NAME"), in a transaction of its own. */
int control_journal_change(struct control *c, const char *who, const char *command, const char *why,
	const struct store_item *items, uint32_t n, struct errbuf *err) SL_NONNULL(1, 2, 3, 4, 5);

/* Every key of the state that begins with prefix: of the store, or of the copy beside it while that
 * cannot be opened. */
int control_each(struct control *c, const char *prefix, store_each_fn *fn, void *ctx)
	SL_NONNULL(2, 3);

/* overlay.c: streams of the state over the catalogue file. */
void control_overlay_open(struct control *c) SL_NONNULL_ALL;
void control_overlay_close(struct control *c) SL_NONNULL_ALL;
void control_overlay_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* The rules that hold, given to the engine when they have changed. */
void control_rules_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* Automatic features: id, name, what it does when on. */
#define CONTROL_SWITCH_MAP(X)                                                                      \
	X(PLANS, "plans", "plans of mode automatic fire by themselves")                            \
	X(ALERTS, "alerts", "alerts that fire are told")                                           \
	X(BLACKLIST, "blacklist", "a vendor that fails in a group is taken out of it")             \
	X(QUALITY, "quality", "what players report counts in scores")                              \
	X(FORECAST, "forecast", "what was dispatched since a meter counts beside it")              \
	X(GEO, "geo", "a geo file that changed on disk is read by itself")                         \
	X(METERS, "meters", "pulled meters count; pushed ones always do")                          \
	X(PROBES, "probes", "a node that a probe finds down is not answered")                      \
	X(HOT, "hot", "a stream that many watch is spread over more own nodes")                    \
	X(HARVEST, "harvest", "edge addresses that vendors' DNS gives are answered")

enum control_switch {
#define X(id, name, help) SWITCH_##id,
	CONTROL_SWITCH_MAP(X)
#undef X
		SWITCHES
};

/* Levels that operators gave to other processes end with this start. */
void control_log_level_forget(const struct control *c) SL_NONNULL_ALL;

/* Gives the engine what is switched off, and the faults of drills. */
void control_switch_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* On unless an operator turned it off. */
bool control_switch_on(const struct control *c, enum control_switch which) SL_NONNULL_ALL;

/* Once a minute: vendors' load and shares, kept for reports. */
void control_sample_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* Once a minute: what players and logs said, for quality --history. */
void control_rollup_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;
void control_rollup_close(struct control *c) SL_NONNULL_ALL;
struct rollup;
struct rollup *control_rollup(struct control *c) SL_NONNULL_ALL; /* NULL: cannot be used now */

/* Puts a catalogue file in place and reloads; the old one is back when it is refused, and by undo
 * when the call comes to nothing after all. */
int control_keep_put_catalogue(
	struct control_call *call, const char *text, size_t n) SL_NONNULL_ALL;
void control_keep_undo_catalogue(struct control_call *call) SL_NONNULL_ALL;

/* Keeps the text of a catalogue that comes into use in the history, under its sum; and reads it.
 * SL_ENOENT with text for one that is kept no more. */
int control_keep_catalogue_text(struct control *c, const char *text, size_t n,
	char ret_sum[static 20], struct errbuf *err) SL_NONNULL_ALL;
int control_keep_read_catalogue(const struct control *c, const char *sum, char **ret_text,
	size_t *ret_n, struct errbuf *err) SL_NONNULL_ALL;

/* The weight or maximum that a rule's vendor has now; 0: there is none. */
double control_rule_value_now(
	const struct control_call *call, const struct control_rule *r) SL_NONNULL_ALL;

/* The wall clock was set by so much: what has lasted keeps its age. */
void control_plans_clock_set(struct control *c, int64_t by_ms) SL_NONNULL_ALL;
void control_alerts_clock_set(struct control *c, int64_t by_ms) SL_NONNULL_ALL;

/* Runs of plans as the state has them, after a change that was not by a command of theirs. */
void control_plans_recall(struct control *c) SL_NONNULL_ALL;

/* events.c: the journal of what happened, for reports; kind: alert, breaker, plan, process, config.
 */
enum { CONTROL_KEEP_MS = 7 * 86400000 }; /* of the journal and of samples */
int control_events_open(struct control *c) SL_NONNULL_ALL;
void control_events_close(struct control *c) SL_NONNULL_ALL;
void control_event(struct control *c, const char *kind, const char *fmt, ...) SL_PRINTF(3, 4);
void control_events_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* cmd_harvest.c: groups to the harvest, and what it gave to the engine. */
void control_take_harvest(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* cmd_meter.c: what was pulled, to the engine. */
void control_take_meters(struct control *c) SL_NONNULL_ALL;

/* decisions.c: samples of decisions into the log. */
int control_decisions_open(struct control *c) SL_NONNULL_ALL;
void control_decisions_close(struct control *c) SL_NONNULL_ALL;
void control_decisions_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* How often each process of the daemon fell, as the supervisor says; returns how many there are. */
enum { CONTROL_ROLES = 8 };
struct control_fall {
	char role[16];
	uint64_t times, last_ms; /* unix; 0: never */
};
uint32_t control_falls(
	const struct control *c, struct control_fall ret[static CONTROL_ROLES]) SL_NONNULL_ALL;

/* What players say of a vendor: means over the groups with reports, weighed by their number. */
struct control_opinion {
	double weight; /* 0: nothing is said */
	double quality, success, first_frame_s, zero_stall;
};

/* By vendor id; *ret_all_bad: in how many groups every vendor is found bad. */
void control_opinions(const struct control *c, const struct engine_view *view,
	struct control_opinion ret[static SL_MAX_VENDORS], uint32_t *ret_all_bad) SL_NONNULL_ALL;

struct control_facts;

/* The facts of this moment; control_facts_done ends them, also after an error. SL_ENOMEM. */
int control_facts_now(struct control *c, struct control_facts *ret) SL_NONNULL_ALL;

/* alerts.c */
int control_alerts_open(struct control *c, struct errbuf *err) SL_NONNULL(1);
void control_alerts_close(struct control *c) SL_NONNULL_ALL;
void control_alerts_round(
	struct control *c, const struct control_facts *facts, uint64_t now_ms) SL_NONNULL_ALL;

/* Adds the names of all plans to a list. */
void control_plan_names(struct control *c, cJSON *list) SL_NONNULL_ALL;

int control_plans_open(struct control *c, struct errbuf *err) SL_NONNULL_ALL;
void control_plans_close(struct control *c) SL_NONNULL_ALL;

/* Steps the plans that look for themselves. */
void control_plans_round(
	struct control *c, const struct control_facts *facts, uint64_t now_ms) SL_NONNULL_ALL;

/* keep.c: worlds and catalogues to go back to. */
void control_keep_round(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* Just after a change, before a tick shows it: what offline rollback goes back to. */
void control_keep_before(struct control *c, uint64_t now_ms) SL_NONNULL_ALL;

/* After a rollback of the state: makes the catalogue file what the state says, and reloads. */
int control_keep_restore_catalogue(struct control_call *call, bool *ret_changed) SL_NONNULL_ALL;

/* Prometheus text of everything. */
void control_metrics(struct control *c, FILE *out) SL_NONNULL_ALL;
