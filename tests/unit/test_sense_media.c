/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "sense/flow.h"
#include "sense/media.h"

static void flow_follows_its_table(void **state)
{
	/* looks as text: + good, - bad; states after each: u unknown, U up, D down; rise 2, fall 3
	 */
	static const struct {
		const char *looks, *states;
	} rows[] = {
		{"+", "U"},
		{"---", "uuD"},
		{"--+", "uuU"},
		{"+--+--+---", "UUUUUUUUUD"},
		{"---+-+-++", "uuDDDDDDU"},
		{"+---++---", "UUUDDUUUD"},
	};
	static const char letter[] = "uUD";

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct sense_flow f = {0, 0};

		for (size_t k = 0; rows[i].looks[k]; k++) {
			uint8_t was = f.state;
			bool turned = sense_flow_step(&f, rows[i].looks[k] == '+', 2, 3);

			assert_int_equal(turned, was != f.state);
			if (letter[f.state] != rows[i].states[k])
				fail_msg("%s at %zu: %c", rows[i].looks, k, letter[f.state]);
		}
	}
}

static void media_is_known_by_its_first_octets(void **state)
{
	static const char ts[189] = {[0] = 0x47, [188] = 0x47};
	static const char cut_ts[189] = {[0] = 0x47};
	static const struct {
		const char *what;
		enum sense_media (*fn)(struct str);
		const char *p;
		size_t n;
		enum sense_media want;
	} rows[] = {
		{"script tag", sense_media_flv, "FLV\1\5\0\0\0\11\0\0\0\0\22", 14,
			SENSE_MEDIA_GOOD},
		{"video tag", sense_media_flv, "FLV\1\1\0\0\0\11\0\0\0\0\11", 14, SENSE_MEDIA_GOOD},
		{"no tag yet", sense_media_flv, "FLV\1\5\0\0\0\11\0\0\0\0", 13, SENSE_MEDIA_MORE},
		{"two octets", sense_media_flv, "FL", 2, SENSE_MEDIA_MORE},
		{"another tag", sense_media_flv, "FLV\1\5\0\0\0\11\0\0\0\0\1", 14, SENSE_MEDIA_BAD},
		{"another head", sense_media_flv, "FLV\1\5\0\0\0\12\0\0\0\0\11", 14,
			SENSE_MEDIA_BAD},
		{"a page", sense_media_flv, "<html>", 6, SENSE_MEDIA_BAD},
		{"TS", sense_media_segment, ts, 189, SENSE_MEDIA_GOOD},
		{"TS, cut", sense_media_segment, ts, 188, SENSE_MEDIA_MORE},
		{"no second packet", sense_media_segment, cut_ts, 189, SENSE_MEDIA_BAD},
		{"fMP4", sense_media_segment, "\0\0\0\30styp", 8, SENSE_MEDIA_GOOD},
		{"AAC", sense_media_segment, "\xff\xf1\x50\x80\0\0\0\0", 8, SENSE_MEDIA_GOOD},
		{"ID3", sense_media_segment, "ID3\4\0\0\0\0", 8, SENSE_MEDIA_GOOD},
		{"a page", sense_media_segment, "<html><b", 8, SENSE_MEDIA_BAD},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++)
		if (rows[i].fn((struct str){rows[i].p, rows[i].n}) != rows[i].want)
			fail_msg("%s", rows[i].what);
}

static void playlists_lead_on(void **state)
{
	static const struct {
		const char *text, *uri;
	} rows[] = {
		{"#EXTM3U\n#EXTINF:4,\nseg.ts\n", "seg.ts"},
		{"#EXTM3U\r\n\r\n#X\r\na/b.m3u8?x=1 \r\n", "a/b.m3u8?x=1"},
		{"\xef\xbb\xbf#EXTM3U\nx\n", "x"},
		{"#EXTM3U\n", ""},
		{"#EXTM3U\nhalf-of-a-na", ""},
		{"<html>\n", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < SL_COUNT(rows); i++) {
		struct str uri;
		bool list = sense_media_playlist(str_from(rows[i].text), &uri);

		assert_int_equal(list, rows[i].uri != NULL);
		if (list && !str_eq_z(uri, rows[i].uri))
			fail_msg("%s: " STR_FMT, rows[i].text, STR_ARG(uri));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow_follows_its_table),
		cmocka_unit_test(media_is_known_by_its_first_octets),
		cmocka_unit_test(playlists_lead_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
