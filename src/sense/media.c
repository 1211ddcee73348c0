/* SPDX-License-Identifier: Apache-2.0 */
#include "sense/media.h"

enum { TS_PACKET = 188, FLV_HEAD = 9, FLV_FIRST_TAG = FLV_HEAD + 4 };

enum sense_media sense_media_flv(struct str o)
{
	const unsigned char *p = (const unsigned char *)o.p;
	unsigned kind;

	if (o.n >= 4 && memcmp(p, "FLV\1", 4) != 0)
		return SENSE_MEDIA_BAD;
	if (o.n < FLV_FIRST_TAG + 1)
		return SENSE_MEDIA_MORE;
	if (p[5] || p[6] || p[7] || p[8] != FLV_HEAD)
		return SENSE_MEDIA_BAD;
	kind = p[FLV_FIRST_TAG] & 0x1f; /* audio, video, script data */
	return kind == 8 || kind == 9 || kind == 18 ? SENSE_MEDIA_GOOD : SENSE_MEDIA_BAD;
}

static bool is_box(const unsigned char *p)
{
	static const char *const boxes[] = {"ftyp", "styp", "moof", "moov", "sidx", "emsg", "prft"};

	for (size_t i = 0; i < sizeof(boxes) / sizeof(boxes[0]); i++)
		if (memcmp(p + 4, boxes[i], 4) == 0)
			return true;
	return false;
}

enum sense_media sense_media_segment(struct str o)
{
	const unsigned char *p = (const unsigned char *)o.p;

	if (o.n < 8)
		return SENSE_MEDIA_MORE;
	if (p[0] == 0x47) {
		if (o.n <= TS_PACKET)
			return SENSE_MEDIA_MORE;
		return p[TS_PACKET] == 0x47 ? SENSE_MEDIA_GOOD : SENSE_MEDIA_BAD;
	}
	if (is_box(p) || memcmp(p, "ID3", 3) == 0 || (p[0] == 0xff && (p[1] & 0xf6) == 0xf0))
		return SENSE_MEDIA_GOOD;
	return SENSE_MEDIA_BAD;
}

bool sense_media_playlist(struct str text, struct str *ret_uri)
{
	struct str line;

	*ret_uri = (struct str){text.p, 0};
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = (struct str){text.p + 3, text.n - 3};
	if (text.n < 7 || memcmp(text.p, "#EXTM3U", 7) != 0)
		return false;
	while (text.n) {
		if (!memchr(text.p, '\n', text.n))
			break;
		line = str_cut(&text, '\n');
		while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
			line.n--;
		if (line.n && line.p[0] != '#') {
			*ret_uri = line;
			break;
		}
	}
	return true;
}
