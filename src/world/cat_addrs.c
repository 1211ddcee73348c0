/* SPDX-License-Identifier: Apache-2.0 */
#include "geo/province.h"
#include "world/cat_int.h"

#include <limits.h>
#include <stdlib.h>

void cat_put_records(struct buf *to, const struct ip *ip, uint32_t n, uint32_t octets)
{
	for (uint32_t i = 0; i < n; i++) {
		buf_put_be16(to, 0xc00c);
		buf_put_be16(to, octets == 4 ? 1 : 28);
		buf_put_be16(to, 1);
		buf_put_be32(to, 0);
		buf_put_be16(to, (uint16_t)octets);
		buf_put(to, ip[i].b, octets);
	}
}

static struct blob_span put_records(
	struct cat_builder *b, const struct ip *ip, uint32_t n, uint32_t octets)
{
	uint8_t rr[CONF_MAX_POOL * CAT_AAAA_RR_SIZE];
	struct buf to = buf_over(rr, sizeof(rr));

	cat_put_records(&to, ip, n, octets);
	sl_assert(!to.overflow);
	return blob_add_octets(b->w, CAT_wire, rr, (uint32_t)buf_len(&to));
}

static uint32_t put_addrset(struct cat_builder *b, const struct ip *a, uint32_t n_a,
	const struct ip *aaaa, uint32_t n_aaaa)
{
	struct blob_span v4 = put_records(b, a, n_a, 4), v6 = put_records(b, aaaa, n_aaaa, 16);
	uint32_t index;
	struct cat_addrset *s = blob_add(b->w, CAT_addrsets, 1, &index);

	if (!s)
		return BLOB_NONE;
	s->a = v4;
	s->aaaa = v6;
	return index;
}

/* The first entry of a vendor that matches the group; its set is made at the first use. */
static void put_vendor(struct cat_builder *b, const struct conf_vendor *v, uint32_t id,
	struct cat_vendor_addrs *table)
{
	uint32_t *set = calloc(v->addresses_count + 1, sizeof(*set)); /* index + 1 */

	for (uint32_t g = 0; set && g < b->n_groups; g++) {
		for (uint32_t i = 0; i < v->addresses_count; i++) {
			const struct conf_addresses *p = &v->addresses[i];

			if (!cat_group_in(b, g, p->groups, p->groups_count))
				continue;
			if (!set[i])
				set[i] = put_addrset(b, p->a, p->a_count, p->aaaa, p->aaaa_count) +
					 1;
			table[g * b->n_vendors + id].v = set[i] - 1;
			break;
		}
	}
	free(set);
}

static void put_nodes(struct cat_builder *b)
{
	const struct conf_catalog *c = &b->conf->catalog;

	for (uint32_t i = 0; i < c->nodes_count; i++) {
		const struct conf_node *from = &c->nodes[i];
		uint32_t addrs =
			put_addrset(b, from->a, from->a_count, from->aaaa, from->aaaa_count);
		struct blob_span name = cat_put_text(b, from->name);
		struct cat_node *n = blob_add(b->w, CAT_nodes, 1, NULL);

		if (!n)
			return;
		n->name = name;
		n->capacity_mbps = from->capacity_mbps;
		n->vendor = dict_find(b->dict, DICT_VENDOR, str_from(from->vendor));
		n->group = dict_find(b->dict, DICT_GROUP, str_from(from->group));
		n->addrs = addrs;
	}
}

struct parts {
	struct str country, province, isp;
};

static struct parts parts_of(const char *group)
{
	struct str rest = str_from(group);
	struct parts p;

	p.country = str_cut(&rest, '/');
	p.province = str_cut(&rest, '/');
	p.isp = str_cut(&rest, '/');
	return p;
}

/* How far a node is from a group: 0 in it, 1 the same ISP in the province at *ret_km, 2 the same
 * country, 3 elsewhere. */
static int tier_of(const char *group, const char *node, int *ret_km)
{
	struct parts g = parts_of(group), n = parts_of(node);

	*ret_km = 0;
	if (strcmp(group, node) == 0)
		return 0;
	if (!str_eq(g.country, n.country))
		return 3;
	*ret_km = geo_province_distance_km(g.province, n.province);
	return g.isp.n && str_eq(g.isp, n.isp) && *ret_km >= 0 ? 1 : 2;
}

struct near_node {
	int tier, km;
	uint16_t node;
};

static int nearer(const void *a, const void *b)
{
	const struct near_node *x = a, *y = b;

	return x->tier != y->tier ? x->tier - y->tier : x->node - y->node;
}

/* Of those with the same ISP elsewhere only the nearest province stands out; the others are the
 * country's. */
static void keep_nearest_province(struct near_node *near, uint32_t n)
{
	int best = INT_MAX;

	for (uint32_t i = 0; i < n; i++)
		if (near[i].tier == 1)
			best = SL_MIN(best, near[i].km);
	for (uint32_t i = 0; i < n; i++)
		if (near[i].tier == 1 && near[i].km > best)
			near[i].tier = 2;
}

static uint32_t put_list(struct cat_builder *b, struct near_node *near, uint32_t n)
{
	uint32_t list, first = blob_count(b->w, CAT_node_tiers);
	struct cat_node_list *l = blob_add(b->w, CAT_node_lists, 1, &list);

	if (!l)
		return BLOB_NONE;
	keep_nearest_province(near, n);
	qsort(near, n, sizeof(*near), nearer);
	for (uint32_t at = 0, end; at < n; at = end) {
		struct cat_node_tier *tier = blob_add(b->w, CAT_node_tiers, 1, NULL);
		struct cat_node_ref *ref;

		for (end = at + 1; end < n && near[end].tier == near[at].tier;)
			end++;
		if (!tier)
			return BLOB_NONE;
		ref = blob_add(b->w, CAT_node_refs, end - at, &tier->nodes.first);
		tier->nodes.count = ref ? end - at : 0;
		for (uint32_t i = 0; i < tier->nodes.count; i++)
			ref[i].v = near[at + i].node;
	}
	l->tiers = (struct blob_span){first, blob_count(b->w, CAT_node_tiers) - first};
	return list;
}

static void put_node_lists(struct cat_builder *b, uint32_t vendor, struct cat_vendor_nodes *table,
	struct near_node *near)
{
	uint32_t n_nodes = blob_count(b->w, CAT_nodes);

	for (uint32_t g = 0; g < b->n_groups; g++) {
		uint32_t n = 0;

		for (uint32_t i = 0; i < n_nodes; i++) {
			const struct cat_node *node = blob_at(b->w, CAT_nodes, i);
			int km, tier;

			if (node->vendor != vendor)
				continue;
			tier = tier_of(cat_group_name(b, g), cat_group_name(b, node->group), &km);
			if (tier < 3)
				near[n++] = (struct near_node){tier, km, (uint16_t)i};
		}
		if (n)
			table[g * b->n_vendors + vendor].v = put_list(b, near, n);
	}
}

void cat_put_addresses(struct cat_builder *b)
{
	const struct conf_catalog *c = &b->conf->catalog;
	uint32_t cells = b->n_groups * b->n_vendors;
	struct cat_vendor_addrs *addrs = blob_add(b->w, CAT_vendor_addrs, cells, NULL);
	struct cat_vendor_nodes *nodes = blob_add(b->w, CAT_vendor_nodes, cells, NULL);
	struct near_node *near = calloc(c->nodes_count + 1, sizeof(*near));

	if (!addrs || !nodes || !near) {
		free(near);
		return;
	}
	memset(addrs, 0xff, cells * sizeof(*addrs));
	memset(nodes, 0xff, cells * sizeof(*nodes));
	put_nodes(b);
	for (uint32_t i = 0; i < c->vendors_count; i++) {
		uint32_t id = dict_find(b->dict, DICT_VENDOR, str_from(c->vendors[i].name));

		put_vendor(b, &c->vendors[i], id, addrs);
		put_node_lists(b, id, nodes, near);
	}
	free(near);
}
