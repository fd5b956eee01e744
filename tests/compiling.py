"""How tests compile: what they run once in the least time, a few things as training does."""

import jax

FAST_TO_COMPILE: dict[str, bool | str] = {"xla_backend_optimization_level": "0"}
AS_TRAINED: dict[str, bool | str] = {"xla_backend_optimization_level": "3"}
"""XLA's defaults, against `AS_XLA_FLAGS` in the environment of all tests."""

if jax.__version_info__ < (0, 11):
    # Its two ways to make code for a fusion: this takes a third of the time. Later ones have one.
    FAST_TO_COMPILE["xla_cpu_use_fusion_emitters"] = False
    AS_TRAINED["xla_cpu_use_fusion_emitters"] = True

AS_XLA_FLAGS = " ".join(f"--{name}={str(value).lower()}" for name, value in FAST_TO_COMPILE.items())
