# SPDX-License-Identifier: BSD-3-Clause
# What the tests of failing calls preload, and the client that they let fail.

INJECT := $(BUILD)/tests/libfail.so $(BUILD)/tests/fail-session

$(BUILD)/tests/libfail.so: tests/faults/inject/fail.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -fPIC -shared $(WARNINGS) -o $@ $<

$(BUILD)/tests/fail-session: tests/faults/inject/session.c $(BUILD)/libnumd.so $(BUILD)/include/numd.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARNINGS) -I$(BUILD)/include $(CFLAGS) -o $@ $< $(LINK_LIBNUMD)

unit-tests: $(INJECT)
