# SPDX-License-Identifier: BSD-3-Clause
# The fuzz targets. The tests run each over its corpus (replay.c); `make fuzz` links them with libFuzzer.
#
# FUZZ_MAIN is what gives them a main: an object or a flag. KERNEL_ARCHIVE: the kernels, built in their own way.

FUZZ_TARGETS := frame door plan slot ring reply
FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%)
FUZZ_MAIN ?= $(BUILD)/tests/fuzz/replay.o
KERNEL_ARCHIVE ?= $(BUILD)/libkernels.a
fuzz_objects = $(call objects,$(addprefix tests/fuzz/,$(addsuffix .c,$(1))))

FUZZ_LINK_frame := $(call fuzz_objects,frame) $(call objects,$(PROTOCOL))
FUZZ_LINK_door := $(call fuzz_objects,door target bounded) $(UNIT_OBJECTS)
FUZZ_LINK_plan := $(call fuzz_objects,plan target bounded) $(UNIT_OBJECTS)
FUZZ_LINK_ring := $(call fuzz_objects,ring target bounded) $(UNIT_OBJECTS)
FUZZ_LINK_slot := $(call fuzz_objects,slot target) $(filter-out %/door_ring.o,$(UNIT_OBJECTS)) # it includes that file
FUZZ_LINK_reply := $(call fuzz_objects,reply) $(call objects,$(CLIENT))

FUZZ_WRAP_door := session_prepare sem_await_hint control_send
FUZZ_WRAP_plan := session_prepare sem_await_hint
FUZZ_WRAP_ring := session_prepare sem_await_hint
FUZZ_WRAP_reply := connect sem_await_hint

.SECONDEXPANSION:
$(FUZZ_PROGRAMS): $(BUILD)/tests/fuzz/%: $$(FUZZ_LINK_$$*) $(filter %.o,$(FUZZ_MAIN)) $(KERNEL_ARCHIVE)
	$(call link_worker,$(FUZZ_LINK_$*) $(FUZZ_WRAP_$*:%=-Wl,--wrap=%) $(FUZZ_MAIN) $(KERNEL_ARCHIVE))

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)
unit-tests: $(FUZZ_PROGRAMS)
