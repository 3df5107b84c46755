/*
 * promise.c: what a file name's extension promises.
 *
 * Only extensions whose content libmagic knows for certain. A row lists every type that such a file
 * may turn out to be: aliases, the container an office format is in, what versions of libmagic say.
 * Text formats promise no more than text, since libmagic tells them apart by guessing.
 */
#include "sniff/sniff.h"
#include "shared/text.h"

#include <string.h>
#include <strings.h>

#define ZIP "application/zip,application/octet-stream"
#define OLE "application/x-ole-storage,application/cdfv2,application/vnd.ms-office"
#define TEXT                                                                                       \
	"text/*,application/json,application/xml,application/javascript,message/*,"                \
	"application/x-ndjson,application/csv,inode/x-empty,application/x-empty"

static const struct promise {
	const char *extension, *types;
} promises[] = {
    {"7z", "application/x-7z-compressed"},
    {"avi", "video/x-msvideo,video/*"},
    {"avif", "image/*"},
    {"bmp", "image/*"},
    {"bz2", "application/x-bzip2,application/*compress*"},
    {"css", TEXT},
    {"csv", TEXT},
    {"doc", "application/msword,application/rtf,text/rtf,text/html,text/xml," OLE},
    {"docx", "application/vnd.openxmlformats-officedocument.*," ZIP "," OLE},
    {"epub", "application/epub+zip," ZIP},
    {"flac", "audio/*"},
    {"gif", "image/gif"},
    {"gz", "application/gzip,application/x-gzip"},
    {"heic", "image/*"},
    {"htm", TEXT},
    {"html", TEXT},
    {"ico", "image/*"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", TEXT},
    {"json", TEXT},
    {"log", TEXT},
    {"m4a", "audio/*,video/*"},
    {"md", TEXT},
    {"mkv", "video/*,application/octet-stream"},
    {"mov", "video/*"},
    {"mp3", "audio/*,application/octet-stream"},
    {"mp4", "video/*,audio/*"},
    {"odp", "application/vnd.oasis.opendocument.*," ZIP},
    {"ods", "application/vnd.oasis.opendocument.*," ZIP},
    {"odt", "application/vnd.oasis.opendocument.*," ZIP},
    {"ogg", "audio/*,video/*,application/ogg"},
    {"pdf", "application/pdf"},
    {"png", "image/png,image/apng,image/vnd.mozilla.apng"},
    {"ppt", "application/vnd.ms-powerpoint," OLE},
    {"pptx", "application/vnd.openxmlformats-officedocument.*," ZIP "," OLE},
    {"rar", "application/x-rar,application/vnd.rar"},
    {"rtf", "text/rtf,application/rtf"},
    {"svg", "image/svg*,text/*,application/xml"},
    {"tar", "application/x-tar,application/x-gtar,application/x-ustar"},
    {"tgz", "application/gzip,application/x-gzip"},
    {"tif", "image/*"},
    {"tiff", "image/*"},
    {"txt", TEXT},
    {"wav", "audio/*"},
    {"webm", "video/*,audio/*"},
    {"webp", "image/webp"},
    {"xls", "application/vnd.ms-excel,text/html,text/xml,text/plain,text/csv," OLE},
    {"xlsx", "application/vnd.openxmlformats-officedocument.*," ZIP "," OLE},
    {"xml", TEXT ",image/svg*,application/*xml*"},
    {"xz", "application/x-xz"},
    {"zip", ZIP ",application/*zip*,application/java-archive,application/vnd.*"},
    {"zst", "application/zstd"},
};

bool promise_broken(const char *name, const char *type)
{
	const char *dot = strrchr(name, '.');

	if (dot == NULL || dot == name)
		return false;
	for (size_t i = 0; i < sizeof promises / sizeof *promises; i++)
		if (strcasecmp(promises[i].extension, dot + 1) == 0)
			return !text_glob_list(promises[i].types, type);
	return false;
}
