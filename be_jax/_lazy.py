"""Packages whose public names are imported when they are first asked for, so that a command loads what it needs."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy(package: str, homes: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package (PEP 562).

    Args:
      package: its name.
      homes: the names that each of its modules defines; none where the last part of its own is the public one.
    """
    home_of = {name: module for module, names in homes.items() for name in names or (_last(module),)}

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{home_of[name]}")
        value = getattr(module, name) if homes[home_of[name]] else module
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: sorted({*vars(sys.modules[package]), *home_of})


def _last(module: str) -> str:
    return module.rsplit(".", 1)[-1]
