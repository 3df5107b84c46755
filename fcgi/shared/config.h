/*
 * config.h: the settings. CONFIG_KEYS is the one table that the parser, `waybill config`, the man
 * page and waybill.conf come from (tests check that README agrees), so that they cannot drift.
 *
 *     X(kind, key, default, bounds, meaning)
 *
 * bounds: "low-high", either may be missing; for CHOICE and ACCESS the choices, "a|b"; for the
 * kinds of text "1-" where an empty value is an error.
 *
 *     PATH      char *  absolute, without a slash at the end (a relative one is taken from the
 *                       directory that waybill was started in)
 *     TEXT      char *  path of a mount point, "" or "/drop", without a slash at the end
 *     TYPES     char *  media type globs in lower case, separated by ", "
 *     ORIGINS   char *  origins in lower case as browsers send them, separated by ", ", or "*"
 *     HOSTS     char *  hosts in lower case, each with its port or without, separated by ", "
 *     NETWORKS  char *  IP addresses and networks (10.0.0.0/8), separated by ", "
 *     COUNT     int64_t
 *     SIZE      int64_t bytes
 *     DURATION  int64_t ms
 *     RATE      int64_t bytes per second
 *     CHOICE    int     index of the choice
 *     ACCESS    int     ACCESS_OPEN ... ACCESS_OFF
 */
#ifndef WAYBILL_CONFIG_H
#define WAYBILL_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#include "shared/flow.h"

#define PROGRAM_TYPES                                                                              \
	"application/x-executable, application/x-pie-executable, application/x-sharedlib, "        \
	"application/x-object, application/x-coredump, application/x-dosexec, "                    \
	"application/vnd.microsoft.portable-executable, application/x-mach-binary"

enum { ACCESS_OPEN, ACCESS_USER, ACCESS_OWNER, ACCESS_TOKEN, ACCESS_OFF };
enum { MISMATCH_RECORD, MISMATCH_REJECT };
enum { UNKNOWN_REFUSE, UNKNOWN_ACCEPT };
enum { DURABILITY_FULL, DURABILITY_NORMAL };
enum { SENDFILE_AUTO, SENDFILE_NONE, SENDFILE_X_SENDFILE, SENDFILE_X_ACCEL };
enum { REMOTE_USER_IGNORE, REMOTE_USER_TRUST };
enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum { LOG_ADDRESS_FULL, LOG_ADDRESS_PREFIX, LOG_ADDRESS_NONE };
enum { SWITCH_ON, SWITCH_OFF };

/* clang-format off */
#define ACCESS_CHOICES "open|user|owner|token|off"
#define CONFIG_KEYS(X) \
	X(PATH,     data_dir,       "/var/lib/waybill", "1-", "where the catalog (waybill.db), objects/ and partial/ live") \
	X(COUNT,    threads,        "256", "1-4096", "requests served at once") \
	X(SIZE,     max_bytes,      "1G", "1-", "largest request body; for resumable uploads the largest whole file") \
	X(COUNT,    max_files,      "64", "1-1000", "files in one form") \
	X(TYPES,    allow_types,    "*/*", "1-", "media types accepted, as globs; libmagic decides what a file is") \
	X(TYPES,    deny_types,     PROGRAM_TYPES, "", "media types refused; goes before allow_types") \
	X(CHOICE,   type_mismatch,  "record", "record|reject", "when the extension promises another type than the content has") \
	X(CHOICE,   unknown_length, "refuse", "refuse|accept", "bodies without a declared length: 411, or stream and count") \
	X(ACCESS,   upload_access,  "open", "open|user|token|off", "who may upload") \
	X(ACCESS,   read_access,    "open", ACCESS_CHOICES, "who may list and download") \
	X(ACCESS,   delete_access,  "owner", ACCESS_CHOICES, "who may delete") \
	X(ORIGINS,  allowed_origins, "", "", "other sites whose pages may upload here (CORS and forms)") \
	X(NETWORKS, trusted_proxies, "", "", "proxies before the web server, whose X-Forwarded-For says where a request comes from") \
	X(HOSTS,    allowed_hosts,  "", "", "names that Host may carry; none: any, but localhost or an address where a request comes from this machine itself") \
	X(SIZE,     quota_bytes,    "0", "0-", "bytes the whole store may hold; 0: no limit") \
	X(SIZE,     owner_quota_bytes, "0", "0-", "bytes one owner may hold; 0: no limit") \
	X(SIZE,     min_free_bytes, "64M", "0-", "bytes of the file system that stay free") \
	X(DURATION, body_timeout,   "60s", "1s-", "a body that brings no byte for so long is given up") \
	X(RATE,     min_rate,       "1K", "0-", "bytes per second a transfer must average after its first minute; 0: any") \
	X(DURATION, expire_after,   "0", "0-", "kept files are dropped after so long; 0: never") \
	X(COUNT,    open_uploads,   "1000", "1-", "unfinished resumable uploads of one owner, or of one address without a name") \
	X(DURATION, partial_expire_after, "24h", "0-", "unfinished resumable uploads are dropped after so long; 0: never") \
	X(CHOICE,   durability,     "full", "full|normal", "full: a 201 survives a power cut; normal: a crash of the worker") \
	X(CHOICE,   sendfile,       "auto", "auto|none|x-sendfile|x-accel-redirect", "let the web server send downloads itself; auto: where it announces that it does (WAYBILL_SENDFILE)") \
	X(PATH,     body_file_dir,  "", "", "where nginx may hand bodies over as files (REQUEST_BODY_FILE)") \
	X(TEXT,     base,           "", "", "mount point, when SCRIPT_NAME cannot tell it") \
	X(CHOICE,   remote_user,    "ignore", "ignore|trust", "whether REMOTE_USER says who the caller is") \
	X(CHOICE,   sandbox,        "on", "on|off", "jail the worker: no new programs, no files outside data_dir") \
	X(CHOICE,   log,            "info", "error|warn|info|debug", "how much is said on stderr; info: one line a request") \
	X(CHOICE,   log_address,    "full", "full|prefix|none", "the client's address in log and record: whole, its network (/24, /48), or not at all")
/* clang-format on */

#define CONFIG_TYPE_PATH char *
#define CONFIG_TYPE_TEXT char *
#define CONFIG_TYPE_TYPES char *
#define CONFIG_TYPE_ORIGINS char *
#define CONFIG_TYPE_HOSTS char *
#define CONFIG_TYPE_NETWORKS char *
#define CONFIG_TYPE_COUNT int64_t
#define CONFIG_TYPE_SIZE int64_t
#define CONFIG_TYPE_DURATION int64_t
#define CONFIG_TYPE_RATE int64_t
#define CONFIG_TYPE_CHOICE int
#define CONFIG_TYPE_ACCESS int

struct config {
#define X(kind, key, initial, bounds, meaning) CONFIG_TYPE_##kind key;
	CONFIG_KEYS(X)
#undef X
};

/*
 * Read the settings: defaults, then the file (`path`, else $WAYBILL_CONFIG, else /etc/waybill.conf if it is
 * there), then $WAYBILL_<KEY>. `key = value` lines, '#' or ';' begins a line of comment; two lines for one key
 * are a mistake. A variable that is nearly one of ours is, too. False: *problem (at least 512 bytes) says file,
 * line, key and reason ("FILE:LINE: key: reason", "WAYBILL_KEY (environment): reason"); *config is then empty.
 * On success the caller owns *config: config_free(). Sets inih's process-wide switches: call it before threads.
 */
bool config_load(struct config *config, const char *path, char *problem, size_t room);
void config_free(struct config *config);

/* What is said where they are open: upload_access and read_access both. */
#define CONFIG_OPEN_DOORS                                                                           \
	"anybody who reaches this server may upload, list and download; unless that is meant, set " \
	"upload_access and read_access to token, or to user or owner behind a login"

/* Anybody may upload, and list and download. */
static inline bool config_is_open(const struct config *config)
{
	return config->upload_access == ACCESS_OPEN && config->read_access == ACCESS_OPEN;
}

/*
 * *next has been read while *now is in force. Keys that last as long as waybill serves (data_dir) take
 * the value they have in *now. `kept` (at least 1024 bytes, as `changed`) gets the names of those that
 * would have changed, `changed` of those that do, separated by commas; "": none. False: no memory;
 * *next is to be freed all the same.
 */
bool config_follow(
    struct config *next, const struct config *now, char *kept, char *changed, size_t room);

/* `waybill config`: every key, its effective value, where that came from, and its meaning. */
bool config_print(const char *path, FILE *out, char *problem, size_t room);
/* A waybill.conf with every key commented out, and the man page's list of keys (roff). */
void config_print_sample(FILE *out);
void config_print_man(FILE *out);

#endif
