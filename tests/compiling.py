"""Compiler options for tests: most tests compile fast, and a few compile as training does."""

import jax

FAST_TO_COMPILE: dict[str, bool | str] = {"xla_backend_optimization_level": "0"}
AS_TRAINED: dict[str, bool | str] = {"xla_backend_optimization_level": "3"}
"""XLA's defaults; they override `AS_XLA_FLAGS`, which is in the environment of all tests."""

if jax.__version_info__ < (0, 11):
    # Without emitters, compiling takes a third of the time. Later versions only have emitters.
    FAST_TO_COMPILE["xla_cpu_use_fusion_emitters"] = False
    FAST_TO_COMPILE["xla_cpu_parallel_codegen_split_count"] = "1"
    AS_TRAINED["xla_cpu_use_fusion_emitters"] = True
    AS_TRAINED["xla_cpu_parallel_codegen_split_count"] = "32"

AS_XLA_FLAGS = " ".join(f"--{name}={str(value).lower()}" for name, value in FAST_TO_COMPILE.items())
