"""A study's judgement: every method's rows, verdicts and equivalents, the controls, and the file that keeps them."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from be_jax.files import write_atomically
from be_jax.stats.claims import ClaimName, Decision, Stated, Verdict
from be_jax.stats.config import Endpoint, JudgeConfig
from be_jax.stats.controls import Control
from be_jax.stats.equivalent import Equivalent
from be_jax.stats.fieller import Interval
from be_jax.stats.rows import Row

Role = Literal["method", "reference"]
DIGITS = 6


@dataclasses.dataclass(frozen=True)
class MethodJudgement:
    """What is said of one method.

    Attributes:
      name: of the method.
      role: a "reference", such as a single network of equal training cost, is placed as a method is.
      rows: of the claims' endpoints, then further ones that no claim rests on.
      verdicts: on C1 to C4.
      equivalents: `{"<set> <metric>": Equivalent}`; empty without a pool of networks.
      units: seeds and networks that it rests on, `{factor: count}`.
    """

    name: str
    role: Role
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]
    equivalents: Mapping[str, Equivalent]
    units: Mapping[str, int]

    def row(self, set_name: str, metric: str) -> Row | None:
        """The row of an endpoint, if there is one."""
        return next((row for row in self.rows if row.endpoint == (set_name, metric)), None)

    def verdict(self, claim: ClaimName) -> Verdict:
        """The verdict on a claim."""
        return next(verdict for verdict in self.verdicts if verdict.claim == claim)

    @property
    def undertrained(self) -> str:
        """Why it is not judged, where it was not trained to the end; otherwise empty."""
        first = self.verdicts[0]
        return first.reason if first.decision == "undertrained" else ""


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The judgement on every method of a study.

    Attributes:
      about: JSON-compatible: of the study and of how it was judged.
      config: level, margin and endpoints.
      controls: the negative and the positive one.
      methods: in the order of the study.
      notes: what a reader must know besides.
    """

    about: Mapping[str, Any]
    config: JudgeConfig
    controls: tuple[Control, ...]
    methods: tuple[MethodJudgement, ...]
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Control, ...]:
        """The controls that failed: where there is one, nothing is said of any method."""
        return tuple(control for control in self.controls if control.passed is False)

    def method(self, name: str) -> MethodJudgement | None:
        """What is said of a method, if it was judged."""
        return next((each for each in self.methods if each.name == name), None)

    def save(self, path: Path) -> None:
        """Writes JSON, a line for each method; numbers with six digits, null for NaN, "Infinity" with its sign."""
        record = as_json(dataclasses.asdict(self))
        methods = ",\n".join(json.dumps(method, allow_nan=False) for method in record.pop("methods"))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(
            path, f'{json.dumps(record, indent=1, allow_nan=False)[:-2]},\n "methods": [\n{methods}\n]}}\n'
        )

    @classmethod
    def load(cls, path: Path) -> "Judgement":
        """Reads what `save` wrote.

        Raises:
          ValueError: the file was written by an older version, which judged otherwise.
        """
        record = json.loads(path.read_text())
        if "controls" not in record:
            raise ValueError(f"{path} is of an older version, which judged otherwise: judge the study again")
        return cls(
            record["about"],
            JudgeConfig(**{name: _endpoints(value) for name, value in record["config"].items()}),
            tuple(Control(**{**each, "position": _interval(each["position"])}) for each in record["controls"]),
            tuple(_method(**each) for each in record["methods"]),
            tuple(record["notes"]),
        )


def _method(
    name: str,
    role: Role,
    rows: list[dict[str, Any]],
    verdicts: list[dict[str, Any]],
    equivalents: Mapping[str, Mapping[str, Any]],
    units: Mapping[str, int],
) -> MethodJudgement:
    return MethodJudgement(
        name,
        role,
        tuple(_row(**row) for row in rows),
        tuple(_verdict(**verdict) for verdict in verdicts),
        {place: Equivalent(**{k: _number(v) for k, v in fields.items()}) for place, fields in equivalents.items()},
        units,
    )


def _row(endpoint: list[str], position: Mapping[str, Any], **fields: Any) -> Row:
    return Row(Endpoint(*endpoint), _interval(position), **{k: _number(v, k) for k, v in fields.items()})


def _verdict(claim: ClaimName, decision: Decision, stated: list[dict[str, Any]], reason: str) -> Verdict:
    return Verdict(
        claim, decision, tuple(Stated(**{**each, "endpoint": Endpoint(*each["endpoint"])}) for each in stated), reason
    )


def _interval(record: Mapping[str, Any]) -> Interval:
    return Interval(_number(record["value"]), tuple((_number(a), _number(b)) for a, b in record["pieces"]))


def _endpoints(value: Any) -> Any:
    return tuple(Endpoint(*each) for each in value) if isinstance(value, list) else value


_CONSTANTS: Mapping[Any, float] = {None: math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _number(value: Any, field: str = "") -> Any:
    """From JSON; `needed` alone is None where there is nothing."""
    return value if field == "needed" or isinstance(value, dict) else _CONSTANTS.get(value, value)


def as_json(value: Any) -> Any:
    """JSON-compatible: six digits, null for NaN, "Infinity" with its sign."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value
