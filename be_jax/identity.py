"""What makes one run another one: the settings that determine its numbers, and how two records of them are compared."""

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any

Record = Mapping[str, Any]
ABSENT = "absent"


def identity_of(config: Any, not_part: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a configuration that differ from their defaults, as JSON has them; of a nested one, its own.

    A field that is new, and at its default, changes nothing: no finished run becomes another one by it.

    Args:
      config: a frozen dataclass; all its fields have defaults.
      not_part: names of fields that determine no number, such as where results are written.
    """
    return _different(_recorded(config, not_part), defaults_of(type(config), not_part))


def defaults_of(config: type, not_part: Collection[str] = ()) -> dict[str, Any]:
    """The record of a configuration at its defaults, by which `completed` and `differences` fill what is not said."""
    return _recorded(config(), not_part)


def completed(record: Record, defaults: Record) -> dict[str, Any]:
    """The record with all its fields, for a file: should a default change one day, it still says what this run had."""
    both = dict(defaults)
    for name, value in record.items():
        nested = isinstance(value, Mapping) and isinstance(both.get(name), Mapping)
        both[name] = completed(value, both[name]) if nested else value
    return both


def differences(saved: Record, wanted: Record, defaults: Record | None = None, prefix: str = "") -> str:
    """What differs between two records, as "name: saved there, wanted here", or "" where they are of the same run.

    Args:
      saved, wanted: nested, JSON-compatible.
      defaults: what a field that a record does not name is worth, in either.
      prefix: of the names.
    """
    defaults, parts = defaults or {}, []
    for name in sorted(saved.keys() | wanted.keys()):
        default = defaults.get(name, ABSENT)
        there, here = saved.get(name, default), wanted.get(name, default)
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            nested = default if isinstance(default, Mapping) else None
            parts.append(differences(there, here, nested, f"{prefix}{name}."))
        elif there != here:
            parts.append(f"{prefix}{name}: {there!r} there, {here!r} here")
    return "; ".join(part for part in parts if part)


def under_todays_names(record: Record) -> Record:
    """A run's record as it is made today: before, it had the learning rates of all methods in the place of its own."""
    rates = record.get("learning_rates")
    if not isinstance(rates, Mapping):
        return record
    kept = {name: value for name, value in record.items() if name != "learning_rates"}
    own = rates.get(kept.get("method"))
    return kept if own is None else {**kept, "train": {**kept.get("train", {}), "learning_rate": own}}


def _recorded(config: Any, not_part: Collection[str]) -> dict[str, Any]:
    fields = {name: value for name, value in dataclasses.asdict(config).items() if name not in not_part}
    record: dict[str, Any] = json.loads(json.dumps(fields, default=str))
    return record


def _different(record: Record, defaults: Record) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name, value in record.items():
        default = defaults[name]
        if isinstance(value, Mapping) and isinstance(default, Mapping) and value.keys() == default.keys():
            if nested := _different(value, default):
                changed[name] = nested
        elif value != default:
            changed[name] = value
    return changed
