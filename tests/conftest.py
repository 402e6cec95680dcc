"""Settings under which every test runs: 8 fake CPU devices, programs that compile fast, no implicit rank promotion."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

ON_A_DEVICE = ("test_device", "test_metrics", "test_rank1")
"""How the names of those files begin whose tests need neither a file nor several devices: `pytest -m device`."""

FAST_TO_COMPILE = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"

os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", ""), "--xla_force_host_platform_device_count=8", FAST_TO_COMPILE]
)
os.environ.setdefault("MPLBACKEND", "Agg")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # for all workers and the processes that tests start; none is kept
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="be_jax_tests_")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
if sys.version_info < (3, 12):  # jaxlib 0.10 has crashed as it read a program back, once in 3,000 tests
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"


def pytest_configure() -> None:
    import jax
    from hypothesis import settings

    settings.register_profile("same_every_time", derandomize=True)
    settings.register_profile("explore")
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same_every_time"))

    jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_collection_modifyitems(items: list) -> None:  # type: ignore[type-arg]
    for item in items:
        if item.path.name.startswith(ON_A_DEVICE):
            item.add_marker("device")


MAPS, MOST_MAPS = Path("/proc/self/maps"), 20_000
"""Compiled programs are mapped into memory, and Linux ends a process (here: compilation crashes) at 65,530 maps."""


def pytest_runtest_teardown(item, nextitem) -> None:  # type: ignore[no-untyped-def]
    """Between two files, lets go of compiled programs where there are many."""
    ends = nextitem is None or nextitem.path != item.path
    if ends and MAPS.exists() and len(MAPS.read_bytes().splitlines()) > MOST_MAPS:
        import jax

        jax.clear_caches()
