# What this machine has. Nothing here is required but the Debian packages of scripts/setup.sh.

comma := ,

FQ_PKGS := hdf5-serial libcyaml hwloc jansson nettle
FQ_PKG_CFLAGS := $(shell pkg-config --cflags $(FQ_PKGS) 2>/dev/null | sed 's/-I/-isystem /g')
FQ_PKG_LIBS := $(shell pkg-config --libs $(FQ_PKGS) 2>/dev/null)
FQ_TEST_LIBS := $(shell pkg-config --libs cmocka 2>/dev/null)

# OpenBLAS in its OpenMP flavour: its threads are then our pool's, none are started behind our back.
FQ_BLAS_DIR := $(firstword $(wildcard /usr/lib/*/openblas-openmp))
FQ_BLAS_CFLAGS := $(addprefix -isystem ,$(wildcard /usr/include/*/openblas-openmp))
FQ_BLAS_LIBS := $(if $(FQ_BLAS_DIR),-L$(FQ_BLAS_DIR) -Wl$(comma)-rpath$(comma)$(FQ_BLAS_DIR)) -lopenblas

# libllama: the pinned build in .deps/llama, else the system's. An installed program finds its copy beside itself (make install); looked for first, so
# that a checkout that moves or goes changes nothing for it.
FQ_LLAMA_DIR := $(abspath .deps/llama)
ifneq ($(wildcard $(FQ_LLAMA_DIR)/include/llama.h),)
FQ_HAVE_LLAMA := 1
FQ_LLAMA_CFLAGS := -DFQ_HAVE_LLAMA=1 -isystem $(FQ_LLAMA_DIR)/include
FQ_LLAMA_LIBS := -L$(FQ_LLAMA_DIR)/lib -Wl,-rpath,'$$ORIGIN/../lib/fairquant' -Wl,-rpath,$(FQ_LLAMA_DIR)/lib -lllama -lggml -lggml-base -lggml-cpu
else ifneq ($(shell pkg-config --exists llama 2>/dev/null && echo yes),)
FQ_HAVE_LLAMA := 1
FQ_LLAMA_CFLAGS := -DFQ_HAVE_LLAMA=1 $(shell pkg-config --cflags llama)
FQ_LLAMA_LIBS := $(shell pkg-config --libs llama) -lggml -lggml-base -lggml-cpu
endif
