# waybill: one executable, built from the rooms of fcgi/ in the order a request walks through them.
#
#   make            builds ./waybill
#   make run        serves http://127.0.0.1:8411/ (PORT= DATA= CONF= SERVER= BASE=)
#   make test       every test; last line "N passed, N failed"
#   make test-fresh both of these on a bare Debian, made for it; as root (PARTS="run test user")
#   make seccomp-report  the system calls of the jailed worker
#   make asan tsan  the room tests and a served smoke test under the sanitizers
#   make fuzz       SECONDS=60 for each target
#   make test-kernels  power cuts of a guest that runs Debian's kernel 6.1
#   make soak       MINUTES=30 of clients, kills, stepped clocks and full disks at once
#   make cuts       CUTS=300 power cuts on each of ext4, XFS and btrfs
#   make install    DESTDIR= PREFIX=
#   make deb        a Debian package, into build/deb/

SHELL := /bin/bash
CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
VERSION := 0.2.0

SOURCES := $(sort $(wildcard fcgi/*.c fcgi/*/*.c fcgi/*/*/*.c))
OBJECTS := $(SOURCES:fcgi/%.c=$(BUILD)/%.o) $(BUILD)/embed.o

# Files beyond 2 GiB and times beyond 2038, also where the machine's words have 32 bits.
CPPFLAGS += -Ifcgi -I$(BUILD) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -DWAYBILL_VERSION='"$(VERSION)"'
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
OPT ?= -O2 -g -D_FORTIFY_SOURCE=3
HARDEN ?= -fstack-protector-strong -fstack-clash-protection -fPIE
CFLAGS_ALL := -std=gnu17 $(OPT) $(HARDEN) $(WARN) $(CFLAGS)
RELRO := -pie -Wl,-z,relro,-z,now
LDFLAGS_ALL := $(if $(HARDEN),$(RELRO)) $(LDFLAGS)
LDLIBS := -lfcgi -lsqlite3 -lmagic -lnettle -ljansson -linih -lseccomp -lpthread

waybill: $(BUILD)/waybill
	cp $< $@

$(BUILD)/waybill: $(OBJECTS)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: fcgi/%.c Makefile | $(BUILD)/site.inc
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# The page's files, numbered, as a table that embed.S and routes/site.c include.
SITE := $(filter-out www/frame.html,$(wildcard www/*.html www/*.css www/*.js www/*.svg))
$(BUILD)/site.inc: $(SITE) Makefile
	@mkdir -p $(@D)
	@n=0; for f in $(SITE); do echo "SITE($$n, \"$${f##*/}\", \"$$f\")"; n=$$((n + 1)); done > $@
$(BUILD)/routes/site.o: $(BUILD)/site.inc

$(BUILD)/embed.o: fcgi/embed.S $(BUILD)/site.inc $(wildcard schema/*.sql) $(SITE) www/frame.html
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -I. -c -o $@ $<

# tests/<room>/<file>_test.c is the test of fcgi/<room>/.../<file>.c. It links its room, the rooms below and
# cmocka, not the whole program; what it takes the place of itself it leaves out.
TEST_SHARED := $(addprefix fcgi/shared/,fault.c text.c utf8.c name.c media.c time.c digest.c log.c network.c item.c files.c key.c config.c manual.c mint.c sandbox.c tally.c)
shared_SOURCES := $(TEST_SHARED)
accept_SOURCES := $(TEST_SHARED) $(wildcard fcgi/accept/*.c) tests/memory.c
body_SOURCES := $(TEST_SHARED) $(wildcard fcgi/body/*.c) fcgi/accept/header.c tests/memory.c
store_SOURCES := $(TEST_SHARED) $(wildcard fcgi/keep/*.c fcgi/verify/*.c fcgi/sniff/promise.c fcgi/catalog/sqlite/*.c fcgi/store/disk/*.c)
catalog_SOURCES := $(store_SOURCES)
verify_SOURCES := $(store_SOURCES)
keep_SOURCES := $(store_SOURCES)
sniff_SOURCES := $(TEST_SHARED) $(wildcard fcgi/sniff/*.c)
reply_SOURCES := $(TEST_SHARED) $(wildcard fcgi/reply/*.c) tests/memory.c
sniff/sniffers_SOURCES := $(TEST_SHARED) $(addprefix fcgi/sniff/,sniff.c sniffers.c)
store/ledger_SOURCES := $(TEST_SHARED) fcgi/store/disk/ledger.c fcgi/store/disk/ledger_table.c
store/ledger_crowd_SOURCES := $(store/ledger_SOURCES)
shared/sandbox_SOURCES := fcgi/shared/sandbox.c
shared/sandbox_descriptors_SOURCES := fcgi/shared/sandbox.c
ROOM_TESTS := $(patsubst tests/%.c,%,$(wildcard tests/*/*_test.c))

test_objects = $(patsubst fcgi/%.c,$(BUILD)/%.o,$(or $($(1)_SOURCES),$($(patsubst %/,%,$(dir $(1)))_SOURCES)))
.SECONDEXPANSION:
$(BUILD)/tests/%_test: tests/%_test.c $$(call test_objects,$$*) $(BUILD)/embed.o
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LDLIBS)

# A fuzz target with a plain main, for its corpus; of the rooms it takes what it calls.
$(BUILD)/rooms.a: $(filter-out $(BUILD)/main.o $(BUILD)/cli.o $(BUILD)/serve.o $(BUILD)/routes/%,$(OBJECTS))
	rm -f $@ && ar qcs $@ $^ # two rooms may have files of one name
$(BUILD)/tests/fuzz/%_replay: tests/fuzz/%_fuzz.c tests/fuzz/replay.c $(BUILD)/rooms.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS)

# Compiled once with words of 32 bits, never linked: what would be cut short there is an error here.
WORDS32 := $(if $(filter x86_64,$(shell uname -m)),-m32)
$(BUILD)/words32/%.o: fcgi/%.c | $(BUILD)/site.inc
	@mkdir -p $(@D)
	@$(CC) $(CPPFLAGS) $(CFLAGS_ALL) $(WORDS32) -Werror -Wno-psabi -MMD -MP -c -o $@ $<
words32: $(SOURCES:fcgi/%.c=$(BUILD)/words32/%.o)

room-tests: $(ROOM_TESTS:%=$(BUILD)/tests/%)

# PORT= and the others reach serve.sh by the environment; it execs the server.
run:
	@exec tests/serve.sh

test:
	@exec tests/all.sh

# The two above on a Debian that has nothing but make: a root is made by debootstrap, and thrown away.
test-fresh:
	@exec tests/fresh/run.sh $(PARTS)

# Room tests, replayed corpora and the http suite against a worker built with a sanitizer.
asan tsan:
	@exec tests/sanitize.sh $@

# Which system calls the jailed worker makes, and where; kept in tests/jail/calls.txt.
# Who calls whom, into fcgi/README.md.
rooms: waybill
	@tests/rooms.py

seccomp-report: waybill
	@tests/install.sh build test strace && exec tests/jail/report.py

SECONDS ?= 60
fuzz:
	@exec tests/fuzz/run.sh $(SECONDS)

# Power cuts of a real block device, many of them; `make test` has three of each kind.
CUTS ?= 300
cuts: waybill
	@tests/install.sh build test && CUTS=$(CUTS) exec tests/power/run.sh -s tests/power

# Everything at once, for long; afterwards a close look.
MINUTES ?= 30
soak: waybill
	@tests/install.sh build test && MINUTES=$(MINUTES) exec tests/soak/run.sh

# Power cuts of a machine with Debian's own kernel, in user-mode Linux: minutes, so not in `make test`.
test-kernels: waybill
	@tests/install.sh build test-kernels && exec tests/kernels/run.sh

bench:
	@exec tests/bench/run.sh

# The page's main states as pictures, in tests/page/out/screenshots/; DOCS=yes: README's two as well.
screenshots:
	@tests/install.sh build test && cd tests/page && npm ci --loglevel=error >&2 && exec node screenshots.mjs $(if $(DOCS),--docs)

# Files as they lie in the tree, with the paths of a package; PREFIX= goes into them here.
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
placed = sed -e 's|/usr/bin/waybill|$(PREFIX)/bin/waybill|g' \
	-e 's|www/servers/fill.sh|$(PREFIX)/share/waybill/servers/fill.sh|g' $(1) | install -D -m $(2) /dev/stdin $(DESTDIR)$(3)
SHARED := $(wildcard www/servers/* www/monitoring/* www/examples/*)
install: waybill
	install -D -m 755 waybill $(DESTDIR)$(PREFIX)/bin/waybill
	for f in $(SHARED); do case $$f in *.sh) mode=755;; *) mode=644;; esac; \
		$(call placed,$$f,$$mode,$(PREFIX)/share/waybill/$${f#www/}) || exit 1; done
	for unit in service socket; do \
		$(call placed,debian/systemd/waybill.$$unit,644,$(UNITDIR)/waybill.$$unit) || exit 1; done
	install -D -m 644 debian/systemd/waybill.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/waybill.conf
	install -D -m 644 debian/systemd/waybill.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/waybill.conf
	./waybill --man | install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/share/man/man8/waybill.8
	[[ -e $(DESTDIR)$(SYSCONFDIR)/waybill.conf ]] || \
		./waybill --sample-config | install -D -m 644 /dev/stdin $(DESTDIR)$(SYSCONFDIR)/waybill.conf

# All of it but waybill.conf, which is yours by now; directories that are empty then, up to PREFIX.
uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/waybill lib/sysusers.d/waybill.conf lib/tmpfiles.d/waybill.conf \
		share/man/man8/waybill.8 $(SHARED:www/%=share/waybill/%)) \
		$(addprefix $(DESTDIR)$(UNITDIR)/waybill.,service socket)
	-rmdir --ignore-fail-on-non-empty $(addprefix $(DESTDIR)$(PREFIX)/share/waybill,/servers /monitoring /examples /)

# Built in a copy, since dpkg-buildpackage leaves its results beside the tree it builds.
deb:
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb/waybill-$(VERSION)
	tar -c --exclude=node_modules --exclude=__pycache__ --exclude=test-results \
		fcgi schema www tests Makefile README.md CHANGELOG.md SECURITY.md LICENSE debian | tar -x -C $(BUILD)/deb/waybill-$(VERSION)
	cd $(BUILD)/deb/waybill-$(VERSION) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc
	rm -rf $(BUILD)/deb/waybill-$(VERSION)
	@ls $(BUILD)/deb/*.deb

format:
	clang-format -i $(SOURCES) $(wildcard fcgi/*.h fcgi/*/*.h fcgi/*/*/*.h tests/*.[ch] tests/fuzz/*.[ch])

clean:
	rm -rf build waybill

.PHONY: run test test-fresh asan tsan fuzz seccomp-report cuts soak test-kernels bench screenshots install uninstall deb format clean rooms room-tests words32
-include $(OBJECTS:.o=.d) $(SOURCES:fcgi/%.c=$(BUILD)/words32/%.d)
