/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the catalogue that makes URLs: signers, play paths, ingests. */
#include "world/cat_int.h"

enum { VALIDITY_FLV_S = 300, VALIDITY_S = 21600 };

static const char *const scheme_names[] = {
#define X(id, word) word,
	CONF_SIGN_MAP(X)
#undef X
};

static uint32_t signer_of(const struct cat_builder *b, const char *name)
{
	const struct conf_catalog *c = &b->conf->catalog;

	for (uint32_t i = 0; name && i < c->signers_count; i++)
		if (strcmp(c->signers[i].name, name) == 0)
			return i;
	return BLOB_NONE;
}

static void put_signers(struct cat_builder *b)
{
	for (uint32_t i = 0; i < b->conf->catalog.signers_count; i++) {
		const struct conf_signer *from = &b->conf->catalog.signers[i];
		struct cat_signer s = {.name = cat_put_text(b, from->name),
			.scheme = cat_put_text(b, scheme_names[from->scheme]),
			.key = cat_put_text(b, from->key),
			.backup_key = cat_put_text(b, from->backup_key),
			.key_id = cat_put_text(b, from->key_id),
			.backup_key_id = cat_put_text(b, from->backup_key_id),
			.input = cat_put_text(b, from->input),
			.url = cat_put_text(b, from->url),
			.digest = (uint8_t)from->digest,
			.time = (uint8_t)from->time,
			.means = (uint8_t)from->means,
			.use_backup = from->use_backup};
		struct cat_signer *to = blob_add(b->w, CAT_signers, 1, NULL);

		if (to)
			*to = s;
	}
}

static struct blob_span put_host(struct cat_builder *b, const struct conf_service_vendor *v)
{
	char text[SL_DNS_NAME_MAX + 16];
	const char *host = v->play_host ? v->play_host : v->cname;

	if (!host)
		return (struct blob_span){0, 0};
	if (!v->play_port)
		return cat_put_text(b, host);
	(void)snprintf(text, sizeof(text), "%s:%u", host, v->play_port);
	return cat_put_text(b, text);
}

static void put_slots(struct cat_builder *b, const struct conf_service *s, uint32_t first)
{
	for (uint32_t i = 0; i < s->vendors_count; i++) {
		const struct conf_service_vendor *v = &s->vendors[i];
		struct blob_span host = put_host(b, v);

		*(struct cat_slot_play *)blob_at(b->w, CAT_slot_plays, first + i) =
			(struct cat_slot_play){host, signer_of(b, v->signer), v->https};
	}
}

static struct blob_span put_plays(struct cat_builder *b, const struct conf_service *s)
{
	struct blob_span span = {blob_count(b->w, CAT_plays), s->play_count};

	for (uint32_t i = 0; i < s->play_count; i++) {
		const struct conf_play *from = &s->play[i];
		uint32_t usual = from->format == CONF_FORMAT_FLV ? VALIDITY_FLV_S : VALIDITY_S;
		struct cat_play p = {.definition = cat_put_text(b, from->definition),
			.path = cat_put_text(b, from->path),
			.format = from->format,
			.validity_s = from->validity_s ? from->validity_s : usual};
		struct cat_play *to = blob_add(b->w, CAT_plays, 1, NULL);

		if (to)
			*to = p;
	}
	return span;
}

static struct blob_span put_ingests(struct cat_builder *b, const struct conf_service *s)
{
	struct blob_span span = {blob_count(b->w, CAT_ingests), s->ingest_count};

	for (uint32_t i = 0; i < s->ingest_count; i++) {
		const struct conf_ingest *from = &s->ingest[i];
		struct cat_ingest in = {.name = cat_put_text(b, from->name),
			.unit = cat_put_text(b, from->unit),
			.url = cat_put_text(b, from->url),
			.signer = signer_of(b, from->signer),
			.validity_s = from->validity_s};
		struct cat_ingest *to = blob_add(b->w, CAT_ingests, 1, NULL);

		if (to)
			*to = in;
	}
	return span;
}

void cat_put_plays(struct cat_builder *b)
{
	uint32_t n_slots = blob_count(b->w, CAT_slots), n = blob_count(b->w, CAT_services);
	struct cat_slot_play *slots = blob_add(b->w, CAT_slot_plays, n_slots, NULL);

	if (!slots || !blob_add(b->w, CAT_service_plays, n, NULL))
		return;
	for (uint32_t i = 0; i < n_slots; i++)
		slots[i].signer = BLOB_NONE;
	put_signers(b);
	for (uint32_t i = 0; i < b->conf->catalog.services_count; i++) {
		const struct conf_service *s = &b->conf->catalog.services[i];
		uint32_t id = dict_find(b->dict, DICT_SERVICE, str_from(s->name));
		const struct cat_service *service = blob_at(b->w, CAT_services, id);
		struct blob_span plays = put_plays(b, s), ingests = put_ingests(b, s);

		put_slots(b, s, service->slots.first);
		*(struct cat_service_play *)blob_at(b->w, CAT_service_plays, id) =
			(struct cat_service_play){plays, ingests};
	}
}

uint16_t cat_ingest_of(const struct cat_builder *b, const struct conf_stream *stream)
{
	const struct conf_catalog *c = &b->conf->catalog;
	int s = stream->ingest ? conf_find_service(c, stream->service) : -1;

	for (uint32_t i = 0; s >= 0 && i < c->services[s].ingest_count; i++)
		if (strcmp(c->services[s].ingest[i].name, stream->ingest) == 0)
			return (uint16_t)(i + 1);
	return 0;
}
