# waybill: one executable, built from the rooms of fcgi/ in the order a request walks through them.
#
#   make            builds ./waybill
#   make run        serves http://127.0.0.1:8411/ (PORT= DATA= CONF= SERVER= BASE=)
#   make test       every test; last line "N passed, N failed"
#   make asan tsan  the room tests and a served smoke test under the sanitizers
#   make fuzz       SECONDS=60 for each target
#   make install    DESTDIR= PREFIX=

SHELL := /bin/bash
CC ?= gcc
BUILD ?= build
PREFIX ?= /usr/local
VERSION := 0.1.0

SHARED := fault text utf8 name media time digest config log sandbox
ROOMS := accept/request accept/rules accept/gate \
	body/multipart body/body body/resume \
	keep/sniff keep/ledger keep/blob keep/catalog keep/keep \
	reply/reply reply/json reply/page reply/file
SOURCES := $(sort $(wildcard fcgi/*.c fcgi/*/*.c))
OBJECTS := $(SOURCES:fcgi/%.c=$(BUILD)/%.o) $(BUILD)/embed.o

LIBS := fcgi sqlite3 libmagic nettle jansson inih libseccomp
CPPFLAGS += -Ifcgi -D_GNU_SOURCE -DWAYBILL_VERSION='"$(VERSION)"'
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
OPT ?= -O2 -g -D_FORTIFY_SOURCE=3
HARDEN ?= -fstack-protector-strong -fstack-clash-protection -fPIE
CFLAGS_ALL := -std=gnu17 $(OPT) $(HARDEN) $(WARN) $(CFLAGS)
LDFLAGS_ALL := $(if $(HARDEN),-pie -Wl,-z,relro,-z,now) $(LDFLAGS)
LDLIBS := -lfcgi -lsqlite3 -lmagic -lnettle -ljansson -linih -lseccomp -lpthread

waybill: $(BUILD)/waybill
	cp $< $@

$(BUILD)/waybill: $(OBJECTS)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS)

$(BUILD)/%.o: fcgi/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/embed.o: fcgi/embed.S $(wildcard schema/*.sql www/*.*)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -I. -c -o $@ $<

# A room's test links the rooms it names and cmocka, not the whole program.
TEST_SHARED := $(addprefix fcgi/shared/,fault.c text.c utf8.c name.c media.c time.c digest.c log.c config.c sandbox.c)
shared_test_SOURCES := $(TEST_SHARED)
accept_test_SOURCES := $(TEST_SHARED) $(filter-out fcgi/accept/gate.c,$(wildcard fcgi/accept/*.c))
body_test_SOURCES := $(TEST_SHARED) $(wildcard fcgi/body/*.c)
resume_test_SOURCES := $(TEST_SHARED) $(wildcard fcgi/body/*.c)
keep_test_SOURCES := $(TEST_SHARED) $(wildcard fcgi/keep/*.c)
sniff_test_SOURCES := $(TEST_SHARED) fcgi/keep/sniff.c fcgi/keep/ledger.c
reply_test_SOURCES := $(TEST_SHARED) $(wildcard fcgi/reply/*.c)
ROOM_TESTS := $(patsubst tests/%.c,%,$(wildcard tests/*_test.c))

.SECONDEXPANSION:
$(BUILD)/tests/%_test: tests/%_test.c $$($$*_test_SOURCES:fcgi/%.c=$(BUILD)/%.o) $(BUILD)/embed.o
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcmocka $(LDLIBS)

room-tests: $(ROOM_TESTS:%=$(BUILD)/tests/%)

clean:
	rm -rf build waybill

.PHONY: clean room-tests
-include $(OBJECTS:.o=.d)
