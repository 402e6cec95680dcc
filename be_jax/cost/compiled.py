"""A program compiled for the device that is here: its seconds to compile, and its memory."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes of a compiled program.

    Attributes:
      arguments: what it is given.
      outputs: what it returns, less what it writes over its arguments.
      temporaries: the most that it needs in between.
    """

    arguments: int
    outputs: int
    temporaries: int

    @property
    def total(self) -> int:
        return self.arguments + self.outputs + self.temporaries


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A program that can be called, its memory, and the seconds of its tracing, lowering and compilation."""

    call: Callable[..., Any]
    memory: Memory
    seconds: float


def compiled(function: Callable[..., Any], *args: Any, donate: Sequence[int] = ()) -> Compiled:
    """Compiles `function` for arguments like `args` (arrays or `jax.ShapeDtypeStruct`s), and runs nothing.

    Args:
      function: jittable.
      *args: none is read.
      donate: positions of arguments whose memory the result may take.
    """
    started = time.perf_counter()
    program = jax.jit(function, donate_argnums=tuple(donate)).lower(*args).compile()
    seconds = time.perf_counter() - started
    stated: Any = program.memory_analysis()
    memory = Memory(
        arguments=stated.argument_size_in_bytes,
        outputs=stated.output_size_in_bytes - stated.alias_size_in_bytes,
        temporaries=stated.temp_size_in_bytes,
    )
    return Compiled(program, memory, seconds)


def free_memory(device: jax.Device) -> int | None:
    """Bytes that programs may still take on a device; of the host for a CPU, and None where nobody says."""
    stated = device.memory_stats()
    if stated and "bytes_limit" in stated:
        return int(stated["bytes_limit"] - stated["bytes_in_use"])
    host = Path("/proc/meminfo")
    if device.platform == "cpu" and host.exists():
        (line,) = (line for line in host.read_text().splitlines() if line.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    return None
