/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operating system, as the shells use it: clocks, random octets, sockets, files. Nothing pure
 * includes this header (a lint test holds that).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/str.h"

/* Unix time, milliseconds; can jump. */
uint64_t os_now_ms(void);

/* Unix time in milliseconds as RFC 3339 has it, in UTC: "2026-11-21T18:30:00.123Z". */
enum { OS_TIME_TEXT = 32 };
void os_time_text(uint64_t unix_ms, char ret[static OS_TIME_TEXT]);

/* Monotonic clocks, since some start. */
uint64_t os_mono_ms(void);
uint64_t os_mono_ns(void);

/* CPU time of the calling thread in user mode, nanoseconds (resolution of the kernel's accounting).
 */
uint64_t os_thread_user_ns(void);

/* 64 bits from the kernel's generator. */
uint64_t os_random64(void);
void os_random(void *p, size_t n) SL_NONNULL_ALL;

/* Lets this process and its children have as many descriptors as its limits allow: a shell gives
 * 1024, which two thousand idle connections would use up. */
void os_raise_descriptors(void);

struct os_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* "127.0.0.1:53", "[::1]:53", or "53" (all addresses, both families). */
int os_addr_parse(const char *text, struct os_addr *ret_addr, struct errbuf *err) SL_NONNULL(1, 2);

/* "ADDR:PORT" or "[ADDR]:PORT". */
void os_addr_format(const struct sockaddr *sa, char *ret_text, size_t size) SL_NONNULL_ALL;

/* The port of an address, host order. */
uint16_t os_addr_port(const struct sockaddr *sa) SL_NONNULL_ALL;

/* A bound UDP socket (SO_REUSEPORT, receive buffer raised to rcvbuf octets where allowed, deaf to
 * what ICMP says of the path's size), or a listening TCP one (SO_REUSEPORT, non-blocking). Returns
 * the descriptor or a negative error. */
int os_udp_bind(const struct os_addr *addr, int rcvbuf, struct errbuf *err) SL_NONNULL(1);
int os_tcp_listen(const struct os_addr *addr, int backlog, struct errbuf *err) SL_NONNULL(1);

/* A listening UNIX stream socket at path with this mode; a stale one is replaced, a live one is
 * not. */
int os_unix_listen(const char *path, mode_t mode, struct errbuf *err) SL_NONNULL(1);
int os_unix_connect(const char *path, struct errbuf *err) SL_NONNULL(1);

/* Whole file into malloc'd memory, NUL-terminated behind *ret_size octets; caller frees. Refuses
 * files over max octets with SL_ELIMIT. */
int os_read_file(const char *path, size_t max, char **ret_data, size_t *ret_size,
	struct errbuf *err) SL_NONNULL(1, 3, 4);

/* Writes path anew: temporary beside it, fsync, rename, fsync of the folder. */
int os_write_file(const char *path, const void *data, size_t n, mode_t mode, struct errbuf *err)
	SL_NONNULL(1);

/* Maps a file read-only and private. Caller unmaps with os_unmap. SL_ENOENT when it is not there.
 */
int os_map_file(const char *path, size_t max, const void **ret_data, size_t *ret_size,
	struct errbuf *err) SL_NONNULL(1, 3, 4);
void os_unmap(const void *data, size_t size);

/* Makes a folder and those above it; 0 also when it is there. */
int os_mkdirs(const char *path, mode_t mode, struct errbuf *err) SL_NONNULL(1);
