/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a folder that a test made for itself. */
#pragma once

#include <ftw.h>
#include <stdio.h>

static inline int tmpdir_unlink(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

/* Removes the folder with all that is in it, and follows no link out of it. */
static inline int tmpdir_remove(const char *dir)
{
	return nftw(dir, tmpdir_unlink, 16, FTW_DEPTH | FTW_PHYS);
}
