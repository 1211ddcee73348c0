/* SPDX-License-Identifier: Apache-2.0 */
#include "world/keys.h"

#include "base/os.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { KEYS_OCTETS_MAX = 4 << 20 };

KEYS(BLOB_TABLE)
static const struct blob_array arrays[] = {KEYS(BLOB_ARRAY_ROW)};

struct keys_file {
	struct keys_view view;
	void *blob; /* locked */
	size_t size;
};

/* blob must have passed blob_check. */
static void view_init(struct keys_view *view, const void *blob)
{
	uint32_t index = 0;

	view->head = blob;
	KEYS(BLOB_VIEW_SET)
}

const struct blob_def keys_def = {
	.name = "keys",
	.magic = {'S', 'L', 'U', 'K', 'E', 'Y', 1, 2},
	.layout = 3,
	.arrays = arrays,
	.n_arrays = KEYS_N_ARRAYS,
};

static struct str text_of(const struct keys_view *k, struct blob_span s)
{
	return (struct str){(const char *)k->text + s.first, s.count};
}

struct str keys_secret_at(const struct keys_view *k, uint32_t key)
{
	if (key >= k->n_keys)
		return (struct str){NULL, 0};
	return (struct str){
		(const char *)k->secrets + k->keys[key].secret.first, k->keys[key].secret.count};
}

struct str keys_secret(const struct keys_view *k, struct str name)
{
	for (uint32_t i = 0; k && name.n && i < k->n_keys; i++)
		if (str_eq(text_of(k, k->keys[i].name), name))
			return keys_secret_at(k, i);
	return (struct str){NULL, 0};
}

const struct keys_account *keys_find_account(const struct keys_view *k, struct str name)
{
	for (uint32_t i = 0; k && i < k->n_accounts; i++)
		if (str_eq(text_of(k, k->accounts[i].name), name))
			return &k->accounts[i];
	return NULL;
}

const struct keys_view *keys_of(const struct keys_file *f)
{
	return &f->view;
}

/* A page of its own, so that locking and wiping touch nothing else. */
int keys_copy(const void *blob, size_t size, struct keys_file **ret_keys, struct errbuf *err)
{
	struct keys_file *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return err_set(err, SL_ENOMEM, "keys: out of memory");
	f->size = size;
	f->blob = mmap(NULL, SL_MAX(size, (size_t)1), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->blob == MAP_FAILED) {
		free(f);
		return err_set(err, SL_ENOMEM, "keys: out of memory");
	}
	(void)mlock(f->blob, size); /* a small limit on locked memory must not close the doors */
	(void)madvise(f->blob, size, MADV_DONTDUMP);
	memcpy(f->blob, blob, size);
	rc = blob_check(&keys_def, f->blob, size, err);
	if (rc) {
		keys_close(f);
		return rc;
	}
	view_init(&f->view, f->blob);
	*ret_keys = f;
	return 0;
}

int keys_open(const char *dir, const char *name, struct keys_file **ret_keys, struct errbuf *err)
{
	char path[SL_MAX_PATH], *data;
	size_t size;
	int rc;

	(void)snprintf(path, sizeof(path), "%.900s/%.64s.blob", dir, name);
	rc = os_read_file(path, KEYS_OCTETS_MAX, &data, &size, err);
	if (rc)
		return rc;
	rc = keys_copy(data, size, ret_keys, err);
	explicit_bzero(data, size);
	free(data);
	return rc;
}

void keys_close(struct keys_file *f)
{
	if (!f)
		return;
	explicit_bzero(f->blob, f->size);
	(void)munmap(f->blob, SL_MAX(f->size, (size_t)1));
	free(f);
}
