"""How a result was made: command, date, versions, hardware."""

import platform
import shlex
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax


def provenance(module: str) -> dict[str, Any]:
    """Of a result that `python -m module` made."""
    return {"command": command(module), "date": date.today().isoformat(), **environment()}


def command(module: str, *arguments: object) -> str:
    """A command as it is typed in a shell; with the arguments of this process where none are given."""
    return shlex.join(["python", "-m", module, *(map(str, arguments) if arguments else sys.argv[1:])])


def environment() -> dict[str, Any]:
    """Versions and hardware."""
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
