"""What was measured, as one record and its file."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from be_jax.cost import Seconds
from be_jax.runs import write_atomically
from experiments.cost.measure import Costs, Program, Settings

SINGLE = "single"


class Skipped(NamedTuple):
    """What was not measured, and why."""

    network: str
    method: str
    dtype: str
    why: str


@dataclasses.dataclass(frozen=True)
class Result:
    """Attributes:
    settings: how it was measured.
    provenance: command, versions and device.
    matmul_rates: floating-point operations a second of a matrix product in the same run, by dtype; empty where nothing
      was timed.
    costs: in the order of measurement.
    skipped: what is missing.
    """

    settings: Settings
    provenance: Mapping[str, Any]
    matmul_rates: Mapping[str, float]
    costs: tuple[Costs, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "skipped": [each._asdict() for each in self.skipped]}

    def save(self, path: Path) -> None:
        write_atomically(path, json.dumps(self.as_json(), indent=1) + "\n")

    @staticmethod
    def load(path: Path) -> "Result":
        """What `save` wrote."""
        record = json.loads(path.read_text())
        return Result(
            Settings(**record["settings"]),
            record["provenance"],
            record["matmul_rates"],
            tuple(_costs(each) for each in record["costs"]),
            tuple(Skipped(**each) for each in record["skipped"]),
        )

    @property
    def device(self) -> str:
        """What it was measured on."""
        devices = self.provenance["devices"]
        return str(self.provenance["processor"] if devices.endswith("x cpu") else devices)

    def groups(self) -> dict[tuple[str, str], dict[str, Costs]]:
        """By network and dtype, the costs of each method."""
        groups: dict[tuple[str, str], dict[str, Costs]] = {}
        for each in self.costs:
            groups.setdefault((each.network, each.dtype), {})[each.method] = each
        return groups


def _costs(record: Mapping[str, Any]) -> Costs:
    programs = {name: Program(**_with_seconds(record[name])) for name in ("prediction", "step")}
    return Costs(**{**record, **programs, "latency": _seconds(record["latency"])})


def _with_seconds(record: Mapping[str, Any]) -> dict[str, Any]:
    return {**record, "seconds": _seconds(record["seconds"])}


def _seconds(record: Mapping[str, Any] | None) -> Seconds | None:
    return None if record is None else Seconds(**record)
