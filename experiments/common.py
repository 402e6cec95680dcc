"""What the experiments share: planned methods, and the compilation cache."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax

from be_jax.config import ConfigError, TrainConfig, check
from be_jax.methods import TABLE, Method, Options
from be_jax.study import Planned

POOL_SEEDS_BELOW = 1000
"""Seeds of a pool's networks are 0, 1, ...; those of other methods begin here, so that no two runs share a start."""


def check_chosen(name: str, values: Sequence[Any], choices: Sequence[Any]) -> None:
    """Raises ConfigError unless `values` are different ones of `choices`, at least one."""
    known = 0 < len(values) == len(set(values)) and set(values) <= set(choices)
    check(known, name, values, f"different ones of {', '.join(map(str, choices))}, at least one")


def check_seeds(seeds: Sequence[int], pool_size: int) -> None:
    """Raises ConfigError unless `seeds` are different ones beyond those of the pool, at least one."""
    own = 0 < len(seeds) == len(set(seeds)) and min(seeds) >= pool_size
    check(own, "seeds", seeds, f"different integers >= {pool_size}, at least one: those below are of the pool")


def planned(row: Method, model: nn.Module, options: Options, train: TrainConfig, seeds: tuple[int, ...]) -> Planned:
    """A method for a study, with its ensemble of `model` and its own fields of the protocol.

    Raises:
      ConfigError: the method cannot be made of the model.
    """
    try:
        label = "" if row.name in TABLE else row.label_of(dataclasses.asdict(options))
        return Planned(row.name, row.build(model, options), row.trained_with(train), seeds, label=label)
    except ValueError as error:
        raise ConfigError(f"{row.name}: {error}") from error


def use_compilation_cache() -> None:
    """Keeps compiled programs in the user's cache folder, unless the user has said where. They depend on the versions
    and the device, by which jax names them, so that all experiments may share it.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(cache / "be_jax" / "compiled"))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:  # jax leaves out what takes less than a second
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
