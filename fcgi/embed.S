/* embed.S: the schema and the page, as bytes inside the executable. */
	.section .rodata
#define EMBED(name, path)           \
	.global name;               \
	.global name##_end;         \
	.balign 16;                 \
name:	.incbin path;               \
name##_end: .byte 0

EMBED(embed_schema_001, "schema/001-catalog.sql")
EMBED(embed_schema_002, "schema/002-sound.sql")
EMBED(embed_frame, "www/frame.html")

/* Made by the Makefile: SITE(number, "file name", "www/file name") for each file of the page. */
#define SITE(number, name, path) EMBED(site_##number, path)
#include "site.inc"

	.section .note.GNU-stack, "", %progbits
