/* SPDX-License-Identifier: Apache-2.0 */
/* The control process: one thread that ticks and, between ticks, serves operators. */
#include "base/log.h"
#include "base/os.h"
#include "control/control.h"
#include "dns/secrets.h"
#include "engine/engine.h"
#include "good.h"
#include "role.h"
#include "sense/sense.h"
#include "world/keys.h"

#include <stdlib.h>

enum { GEO_LOOK_MS = 5000, CLOCK_SET_MS = 10000 };

struct control_role {
	const char *path;
	struct engine *engine;
	struct control *control;
	struct sense *sense;
	int64_t clock_ms; /* the wall clock less the monotonic one, as last looked at */
};

static bool told_missing(const struct errbuf *note)
{
	if (note->s[0])
		LOG_E("keys.missing", "error=\"%s\"", note->s);
	return note->s[0];
}

/* The secrets of a configuration for the answer process. What cannot be read closes its doors. */
static void give_keys(struct control_role *r, const struct conf *conf)
{
	struct dns_secrets cookies = {0};
	struct errbuf note = {""};
	char path[SL_MAX_PATH];
	bool missing = false;

	(void)snprintf(path, sizeof(path), "%.900s/dns-cookie.secret", conf->sluice.state);
	if (conf->sluice.dns.cookies && dnsd_secrets_load(path, &cookies, &note))
		missing = told_missing(&note);
	note.s[0] = '\0';
	if (keys_write(conf,
		    (struct str){(const char *)cookies.key, cookies.n * (size_t)DNS_COOKIE_SECRET},
		    os_now_ms(), &note))
		LOG_E("keys.not_written", "error=\"%s\"", note.s);
	else
		missing |= told_missing(&note);
	control_keys(r->control, missing);
}

/* The sense thread goes by a copy of its own, which it keeps as long as it likes. */
static void give_sense(struct control_role *r, const char *state)
{
	struct keys_file *keys = NULL;
	char dir[SL_MAX_PATH];
	struct errbuf err = {""};
	struct conf *conf;

	if (conf_load(r->path, &conf, &err) && good_load(state, &conf, &err)) {
		LOG_E("sense.refused", "error=\"%s\"", err.s);
		return;
	}
	(void)snprintf(dir, sizeof(dir), "%.900s/keys", state);
	if (keys_open(dir, "control", &keys, &err))
		LOG_E("sense.no_keys", "error=\"%s\"", err.s);
	sense_load(r->sense, conf, keys);
}

static int take_configuration(struct control_role *r, struct errbuf *err)
{
	char key[CONF_KEY_SIZE];
	struct conf *conf;
	int rc = conf_load(r->path, &conf, err);

	if (rc)
		return rc;
	rc = sense_check(conf, err);
	if (rc) {
		conf_free(conf);
		return rc;
	}
	if (conf_needs_restart(engine_view(r->engine)->conf, conf, key))
		LOG_W("conf.restart_needed", "key=%s", key);
	rc = engine_load(r->engine, conf, os_now_ms(), err);
	if (rc) {
		conf_free(conf);
		return rc;
	}
	give_keys(r, conf);
	give_sense(r, conf->sluice.state);
	log_set_level((enum log_level)conf->sluice.log.level);
	return good_write(conf, err);
}

/* Reads the configuration again; a bad one changes nothing. Also the admin command's. */
static int reload(void *ctx, struct errbuf *err)
{
	struct control_role *r = ctx;
	struct errbuf why = {""};
	int rc = take_configuration(r, &why);

	control_reloaded(r->control, rc != 0, why.s);
	if (err)
		*err = why;
	return rc;
}

static void reload_logged(struct control_role *r, const char *why)
{
	struct errbuf err = {""};

	if (reload(r, &err))
		LOG_E("conf.refused", "cause=%s error=\"%s\"", why, err.s);
	else
		LOG_I("conf.reloaded", "cause=%s file=%s", why, r->path);
}

static int start(struct control_role *r, struct conf *conf, struct errbuf *err)
{
	struct control_options o = {.conf = conf, .reload = reload, .ctx = r};
	struct errbuf note = {""};
	int rc = engine_new(conf->sluice.state, os_now_ms(), &r->engine, &note);

	if (rc) {
		*err = note;
		conf_free(conf);
		return rc;
	}
	if (note.s[0])
		LOG_W("engine.anew", "reason=\"%s\"", note.s);
	o.engine = r->engine;
	rc = sense_new(&r->sense, err);
	o.sense = r->sense;
	if (!rc)
		rc = control_new(&o, &r->control, err);
	if (!rc)
		rc = role_drop_capabilities(conf, err);
	if (!rc)
		rc = engine_load(r->engine, conf, os_now_ms(), err);
	if (rc) {
		conf_free(conf);
		return rc;
	}
	if (err->s[0]) {
		LOG_E("geo.refused", "use=table_of_before error=\"%s\"", err->s);
		control_reloaded(r->control, true, err->s);
	}
	give_keys(r, conf);
	give_sense(r, conf->sluice.state);
	return 0;
}

static void tick(struct control_role *r)
{
	struct errbuf err = {""};
	int rc;

	control_take_sense(r->control);
	rc = engine_tick(r->engine, os_now_ms(), &err);
	if (rc)
		LOG_E("tick.refused", "error=\"%s\"", err.s);
	else
		control_ticked(r->control);
	if (!rc && err.s[0])
		LOG_E("record.ended", "error=\"%s\"", err.s);
}

/* Ages are differences of the wall clock: one that somebody sets by more than a correction must not
 * make young what is old, or end what has hardly begun. */
static void follow_clock(struct control_role *r)
{
	int64_t now_ms = (int64_t)(os_now_ms() - os_mono_ms()), by_ms = now_ms - r->clock_ms;

	r->clock_ms = now_ms;
	if (by_ms > -CLOCK_SET_MS && by_ms < CLOCK_SET_MS)
		return;
	LOG_W("clock.set", "by_s=%lld", (long long)(by_ms / 1000));
	if (by_ms > 0)
		engine_clock_ahead(r->engine, (uint64_t)by_ms);
	control_clock_set(r->control, by_ms);
}

static void loop(struct control_role *r)
{
	uint64_t due = os_mono_ms(), geo_due = due + GEO_LOOK_MS;

	r->clock_ms = (int64_t)(os_now_ms() - os_mono_ms());
	while (!role_stop) {
		uint64_t now = os_mono_ms();

		follow_clock(r);
		if (role_reload) {
			role_reload = 0;
			reload_logged(r, "signal");
		} else if (now >= geo_due) {
			geo_due = now + GEO_LOOK_MS;
			if (control_follows_geo(r->control) && engine_geo_changed(r->engine))
				reload_logged(r, "geo");
		}
		if (now >= due) {
			tick(r);
			due += engine_view(r->engine)->conf->sluice.tick_ms;
			due = SL_MAX(due, now); /* a late tick is not made up for */
		}
		now = os_mono_ms();
		control_round(r->control, due > now ? (int)(due - now) : 0);
	}
}

int role_control(const char *path, struct conf *conf)
{
	struct control_role r = {.path = path};
	struct errbuf err = {""};
	int rc = start(&r, conf, &err);

	if (rc) {
		LOG_E("control.refused", "error=\"%s\"", err.s);
	} else {
		LOG_I("control.ready", "state=%s", engine_view(r.engine)->conf->sluice.state);
		loop(&r);
	}
	control_free(r.control);
	sense_free(r.sense);
	engine_free(r.engine);
	return rc ? 1 : 0;
}
