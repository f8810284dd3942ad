/*-------------------------------------------------------------------------
 *
 * secret_box.c
 *	  Secrets as they lie in a table.
 *
 * AES-256-GCM, with a key that is the SHA-256 of the file that
 * sched.secret_key_file names, and the secret's name as additional data, so
 * that a sealed value moved to another name does not open.  The first byte tells
 * the form:
 *
 *	0	in clear: there was no key file
 *	1	nonce (12 bytes), ciphertext, tag (16 bytes)
 *
 * The file is read at each use; it is small and uses are rare.  It must belong
 * to the server, as its TLS key must: others may not read it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef SCHED_HAVE_LIBCRYPTO
#include <openssl/evp.h>
#endif

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "infrastructure/compat.h"
#include "infrastructure/http/secret_box.h"
#include "infrastructure/settings.h"

#define FORM_CLEAR		0
#define FORM_AES_GCM	1
#define NONCE_BYTES		12
#define TAG_BYTES		16
#define KEY_BYTES		32
#define MIN_FILE_BYTES	32
#define MAX_FILE_BYTES	4096

/* ---------- the key ---------- */

static bool
hash_key(const uint8 *data, Size length, uint8 *key)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	bool		good;

	if (hash == NULL)
		return false;
	good = pg_cryptohash_init(hash) >= 0 &&
		pg_cryptohash_update(hash, data, length) >= 0 &&
		pg_cryptohash_final(hash, key, KEY_BYTES) >= 0;
	pg_cryptohash_free(hash);
	return good;
}

/* Read the key; NULL or what is the matter. */
static const char *
read_key(uint8 *key)
{
	uint8		data[MAX_FILE_BYTES];
	struct stat status;
	ssize_t		length;
	int			fd = open(sched_secret_key_file, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return "the file cannot be opened";
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
		(status.st_mode & (S_IRWXO | S_IWGRP | S_IXGRP)) != 0)
	{
		close(fd);
		return "the file can be read or written by others";
	}
	length = read(fd, data, sizeof(data));
	close(fd);
	if (length < MIN_FILE_BYTES)
		return "the file holds less than 32 bytes";
	if (!hash_key(data, length, key))
		return "the key cannot be computed";
	explicit_bzero(data, sizeof(data));
	return NULL;
}

/* ---------- sealing and opening ---------- */

#ifdef SCHED_HAVE_LIBCRYPTO

static bool
encrypt(const uint8 *key, const char *name, const char *value, int length,
		uint8 *nonce, uint8 *out, uint8 *tag)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int			n;
	bool		good;

	if (context == NULL)
		return false;
	good = pg_strong_random(nonce, NONCE_BYTES) &&
		EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
		EVP_EncryptUpdate(context, NULL, &n, (const uint8 *) name,
						  strlen(name)) == 1 &&
		EVP_EncryptUpdate(context, out, &n, (const uint8 *) value,
						  length) == 1 &&
		EVP_EncryptFinal_ex(context, out + length, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_BYTES,
							tag) == 1;
	EVP_CIPHER_CTX_free(context);
	return good;
}

static bool
decrypt(const uint8 *key, const char *name, const uint8 *nonce,
		const uint8 *sealed, int length, const uint8 *tag, char *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int			n;
	bool		good;

	if (context == NULL)
		return false;
	good = EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key,
							  nonce) == 1 &&
		EVP_DecryptUpdate(context, NULL, &n, (const uint8 *) name,
						  strlen(name)) == 1 &&
		EVP_DecryptUpdate(context, (uint8 *) out, &n, sealed, length) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
							(void *) tag) == 1 &&
		EVP_DecryptFinal_ex(context, (uint8 *) out + length, &n) == 1;
	EVP_CIPHER_CTX_free(context);
	return good;
}

#else							/* !SCHED_HAVE_LIBCRYPTO */

static bool
encrypt(const uint8 *key, const char *name, const char *value, int length,
		uint8 *nonce, uint8 *out, uint8 *tag)
{
	return false;
}

static bool
decrypt(const uint8 *key, const char *name, const uint8 *nonce,
		const uint8 *sealed, int length, const uint8 *tag, char *out)
{
	return false;
}

#endif							/* SCHED_HAVE_LIBCRYPTO */

bytea	   *
sched_secret_seal(const char *name, const char *value, bool *encrypted)
{
	int			length = strlen(value);
	uint8		key[KEY_BYTES];
	const char *fault;
	bytea	   *sealed;
	uint8	   *data;

	*encrypted = sched_secret_key_file[0] != '\0';
	if (!*encrypted)
	{
		sealed = palloc(VARHDRSZ + 1 + length);
		SET_VARSIZE(sealed, VARHDRSZ + 1 + length);
		data = (uint8 *) VARDATA(sealed);
		data[0] = FORM_CLEAR;
		memcpy(data + 1, value, length);
		return sealed;
	}
	fault = read_key(key);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot encrypt secret \"%s\"", name),
				 errdetail("sched.secret_key_file: %s.", fault),
				 errhint("Let the server's user own the file, with mode 0600 and 32 random bytes or more in it.")));
	sealed = palloc(VARHDRSZ + 1 + NONCE_BYTES + length + TAG_BYTES);
	SET_VARSIZE(sealed, VARHDRSZ + 1 + NONCE_BYTES + length + TAG_BYTES);
	data = (uint8 *) VARDATA(sealed);
	data[0] = FORM_AES_GCM;
	if (!encrypt(key, name, value, length, data + 1, data + 1 + NONCE_BYTES,
				 data + 1 + NONCE_BYTES + length))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot encrypt secret \"%s\"", name),
				 errdetail("The library was built without libcrypto, or AES-256-GCM is not available in it.")));
	explicit_bzero(key, sizeof(key));
	return sealed;
}

char	   *
sched_secret_open(const char *name, const bytea * sealed, const char **why)
{
	const uint8 *data = (const uint8 *) VARDATA_ANY(sealed);
	int			length = VARSIZE_ANY_EXHDR(sealed);
	uint8		key[KEY_BYTES];
	char	   *value;
	bool		good;

	if (length >= 1 && data[0] == FORM_CLEAR)
		return pnstrdup((const char *) data + 1, length - 1);
	if (length < 1 + NONCE_BYTES + TAG_BYTES || data[0] != FORM_AES_GCM)
	{
		*why = "cannot be decrypted: what is stored is damaged";
		return NULL;
	}
	if (sched_secret_key_file[0] == '\0' || read_key(key) != NULL)
	{
		*why = "cannot be decrypted: sched.secret_key_file is not set or cannot be used";
		return NULL;
	}
	length -= 1 + NONCE_BYTES + TAG_BYTES;
	value = palloc(length + 1);
	good = decrypt(key, name, data + 1, data + 1 + NONCE_BYTES, length,
				   data + 1 + NONCE_BYTES + length, value);
	explicit_bzero(key, sizeof(key));
	if (!good)
	{
		*why = "cannot be decrypted: the key in sched.secret_key_file is another one";
		return NULL;
	}
	value[length] = '\0';
	return value;
}

bool
sched_secret_is_encrypted(const bytea * sealed)
{
	return VARSIZE_ANY_EXHDR(sealed) > 0 &&
		VARDATA_ANY(sealed)[0] == FORM_AES_GCM;
}
