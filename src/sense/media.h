/* SPDX-License-Identifier: Apache-2.0 */
/* The first octets of media as probes look at them: FLV, HLS playlists and segments. Pure. */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

enum sense_media { SENSE_MEDIA_MORE, SENSE_MEDIA_GOOD, SENSE_MEDIA_BAD };

/* An FLV header and the head of its first tag (FLV 10.1, annex E.2 to E.4.1). */
enum sense_media sense_media_flv(struct str octets) SL_PURE;

/* A segment: MPEG-TS packets (ISO 13818-1, 188 octets from 0x47), boxes of fMP4 (ISO 14496-12),
 * packed audio (ID3 or ADTS, RFC 8216 section 3.4). */
enum sense_media sense_media_segment(struct str octets) SL_PURE;

/* Whether it begins as a playlist; then *ret_uri is its first URI, empty where there is none. A
 * list that is cut in the middle of that line has none. */
bool sense_media_playlist(struct str text, struct str *ret_uri);
