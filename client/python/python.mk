# SPDX-License-Identifier: BSD-3-Clause
# The Python package, at $(BUILD)/python/numd: `make python`, then PYTHONPATH=$(BUILD)/python.
# Wants PYTHON, CC, CFLAGS, BUILD and a rule for $(BUILD)/libnumd.so.

PYTHON_SOURCES := $(wildcard client/python/src/*.c)
PYTHON_OBJECTS := $(PYTHON_SOURCES:client/python/src/%.c=$(BUILD)/python/obj/%.o)
PYTHON_DOCSTRINGS := $(BUILD)/python/obj/docstrings.h
PYTHON_MODULES := $(wildcard $(addprefix client/python/numd/,*.py *.pyi */*.py)) client/python/numd/py.typed
PYTHON_COPIES := $(PYTHON_MODULES:client/python/numd/%=$(BUILD)/python/numd/%)
# Of modules that were there at an earlier build.
PYTHON_STALE = $(filter-out $(PYTHON_COPIES),$(wildcard $(addprefix $(BUILD)/python/numd/,*.py *.pyi */*.py)))
PYTHON_INCLUDE := $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))')
PYTHON_SUFFIX := $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
PYTHON_EXTENSION := $(BUILD)/python/numd/_numd$(PYTHON_SUFFIX)
PYTHON_CFLAGS := -std=gnu11 -fPIC -fvisibility=hidden -Wall -Wextra -Werror -Wshadow -Wno-unused-parameter \
	-Wmissing-prototypes -Wstrict-prototypes -I. -Iclient -I$(dir $(PYTHON_DOCSTRINGS)) -isystem $(PYTHON_INCLUDE)

.PHONY: python
python: $(PYTHON_EXTENSION) $(PYTHON_COPIES)
	$(if $(PYTHON_STALE),rm -f $(PYTHON_STALE))

$(PYTHON_EXTENSION): $(PYTHON_OBJECTS) $(BUILD)/libnumd.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -shared -o $@ $(PYTHON_OBJECTS) -L$(BUILD) -lnumd -Wl,-rpath,'$$ORIGIN/../..'

$(PYTHON_DOCSTRINGS): client/python/docstrings.py $(wildcard client/python/src/docs/*.txt)
	$(PYTHON) $< $@

$(BUILD)/python/obj/%.o: client/python/src/%.c | $(PYTHON_DOCSTRINGS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(PYTHON_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/python/numd/%: client/python/numd/%
	@mkdir -p $(@D)
	cp $< $@

# pip takes setuptools and wheel from $(PYTHON) where it has them, else from the package index.
PIP := $(PYTHON) -m pip --disable-pip-version-check
PIP_ISOLATION = $(shell $(PYTHON) -c 'import setuptools, wheel' 2>/dev/null && echo --no-build-isolation)
WHEEL_PARTS := $(BUILD)/numd $(BUILD)/numd-worker $(BUILD)/libnumd.a

.PHONY: wheel install-python
wheel: $(WHEEL_PARTS) ## a wheel of the Python package, with the library and the daemon inside, in $(BUILD)/dist
	rm -f $(BUILD)/dist/numd-*.whl
	NUMD_BUILD=$(abspath $(BUILD)) $(PIP) wheel --no-deps $(PIP_ISOLATION) -w $(BUILD)/dist ./client/python

install-python: wheel ## pip install of that wheel, for PYTHON or the active virtual environment
	$(PIP) install --force-reinstall --no-deps $(BUILD)/dist/numd-*.whl
	$(PIP) install $(BUILD)/dist/numd-*.whl

-include $(PYTHON_OBJECTS:.o=.d)
