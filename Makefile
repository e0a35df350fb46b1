# make demo      install, then make a red robot from words and look at it
# make test      the fast tests        make test-all   also the slow ones
# make lint      format, lint, types   make clean      remove all that make has made
# make asan      the tests of the kernels, with every access to memory and every undefined step watched
# make scenes    make the small scenes in scenes/ again
# make viewer    build the viewer's page again from viewer/ (needs npm)   make viewer-check   its types and tests
# make kernels   build the compiled kernels alone, for work on them; make emulated   the CUDA ones, to run on the CPU

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt $(shell find cuda distill3d -type f -not -path '*/__pycache__/*' 2>/dev/null)
KERNELS := pyproject.toml CMakeLists.txt $(shell find cuda -type f 2>/dev/null)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# Two processes side by side, a file of tests to each.
PYTEST := $(BIN)/python -m pytest -q -n 2 --dist loadfile --jaxtyping-packages=distill3d,beartype.beartype

.PHONY: demo test test-all asan lint kernels emulated scenes viewer viewer-check clean

demo: $(VENV)/demo.stamp
	$(BIN)/distill3d generate "a red robot" --seed 0

test: $(VENV)/dev.stamp
	$(PYTEST) -m "not slow"

test-all: $(VENV)/dev.stamp
	$(PYTEST)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

# The libraries alone, without an installation; DISTILL3D_LIBRARIES=build/kernels/lib makes Python load them.
kernels:
	cmake -S . -B build/kernels -G Ninja -DCMAKE_LIBRARY_OUTPUT_DIRECTORY=$(CURDIR)/build/kernels/lib $(CMAKE_FLAGS)
	cmake --build build/kernels

# The CUDA kernels for the emulator, in the same place.
emulated: CMAKE_FLAGS += -DD3D_EMULATED=ON
emulated: kernels

# The small scenes, again from what they are made of.
scenes: $(VENV)/dev.stamp
	$(BIN)/python -m scenes

# The page as it is shipped, so that whoever installs distill3d needs no npm; and what is known of its sources.
viewer: viewer/node_modules/.stamp
	cd viewer && npm run build

viewer-check: viewer/node_modules/.stamp
	cd viewer && npm run check

viewer/node_modules/.stamp: viewer/package-lock.json
	cd viewer && npm ci --no-fund --no-audit
	touch $@

# Watched kernels lie in a folder of their own. What Python and torch leave allocated at the end is no concern here;
# tests that only compile are left out, because nvcc cannot be watched.
WATCHED := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1
asan: $(VENV)/dev.stamp
	cmake -S . -B build/asan -G Ninja -DD3D_CUDA=OFF "-DCMAKE_CXX_FLAGS=$(WATCHED)" \
	  -DCMAKE_LIBRARY_OUTPUT_DIRECTORY=$(CURDIR)/build/asan/lib
	cmake --build build/asan
	DISTILL3D_LIBRARIES=$(CURDIR)/build/asan/lib \
	  LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
	  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 $(BIN)/python -m pytest -q --capture=sys tests/ops \
	  --ignore tests/ops/test_headers.py --ignore tests/ops/test_cuda_sources.py

clean:
	rm -rf $(VENV) build dist viewer/node_modules .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# An installation for use; a developer's one, which follows the sources, serves as well.
$(VENV)/demo.stamp: $(SOURCES) | $(BIN)/python
	test -e $(VENV)/dev.stamp || $(PIP) .
	touch $@

# An installation that follows the Python sources; only a change of the kernels calls for another.
$(VENV)/dev.stamp: $(KERNELS) | $(BIN)/python
	$(PIP) "scikit-build-core>=0.10" cmake ninja
	$(PIP) --no-build-isolation --editable ".[dev]" --config-settings=cmake.define.D3D_EMULATED=ON
	touch $@
