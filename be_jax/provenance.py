"""How a result was made: command, date, versions and hardware."""

import platform
import shlex
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

_PATHS = ("--data-dir", "--out")


def provenance(module: str) -> dict[str, Any]:
    """Command, date, versions and hardware of a result made by `python -m <module>`."""
    return {"command": command(module), "date": date.today().isoformat(), **environment()}


def suggested(module: str, *arguments: object) -> str:
    """A command for the reader's shell."""
    return shlex.join(["python", "-m", module, *map(str, arguments)])


def command(module: str) -> str:
    """The command line as typed, but for folders, which are of this machine only: `--data-dir DATA_DIR`, or a name."""
    shown, args = [], iter(sys.argv[1:])
    for arg in args:
        name, equals, _ = arg.partition("=")
        typed = shlex.quote(Path(arg).name if Path(arg).is_absolute() else arg)
        shown.append(f"{name} {name[2:].upper().replace('-', '_')}" if name in _PATHS else typed)
        if name in _PATHS and not equals:
            next(args, None)
    return " ".join(["python -m", module, *shown])


def environment() -> dict[str, Any]:
    """Versions and hardware, for the provenance of a result."""
    packages = ("be-jax", "jax", "jaxlib", "flax", "optax", "numpy")
    devices = jax.local_devices()
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "platform": platform.platform(),
        "devices": f"{len(devices)} x {devices[0].device_kind}",
        "processor": _processor(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
    return f"{len(lines)} x {lines[0].split(':')[1].strip()}" if lines else platform.processor()
