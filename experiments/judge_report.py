"""What `experiments.judge` found: its file, and its tables on a terminal and in README.md."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import rich.box
import rich.table

from be_jax.report.columns import DASH
from be_jax.runs import write_atomically
from be_jax.stats import STATEMENTS, Equivalent, Evidence, Verdict, as_records, from_records, percent

DIGITS = 4

_MEASURES = {
    "accuracy": "accuracy",
    "nll": "NLL",
    "ece": "ECE",
    "auroc_max_probability": "AUROC by maximum probability",
    "epistemic": "mutual information",
    "pairwise_js": "pairwise JS",
}
_WORTH = {
    "nll": "NLL at the best temperature",
    "uncalibrated_nll": "NLL",
    "brier": "Brier score at the best temperature",
    "auroc_epistemic": "AUROC by mutual information",
}


class Judgement(NamedTuple):
    """The judgement on every method of a study.

    Attributes:
      about: of the study and of how it was judged; JSON-compatible.
      verdicts: of every method, in the order of the claims.
      equivalents: `{method: {"<set> <metric>": Equivalent}}`, of every method and perhaps of single networks.
    """

    about: Mapping[str, Any]
    verdicts: tuple[Verdict, ...]
    equivalents: Mapping[str, Mapping[str, Equivalent]]

    @property
    def methods(self) -> dict[str, dict[str, Verdict]]:
        """Verdicts by method and claim."""
        methods: dict[str, dict[str, Verdict]] = {}
        for verdict in self.verdicts:
            methods.setdefault(verdict.method, {})[verdict.claim] = verdict
        return methods

    def save(self, path: Path) -> None:
        """Writes JSON with four significant digits, a line for each verdict."""
        equivalents = {
            method: {place: dataclasses.asdict(worth) for place, worth in of_method.items()}
            for method, of_method in self.equivalents.items()
        }
        about, verdicts, worth = (_rounded(part) for part in (self.about, as_records(self.verdicts), equivalents))
        lines = ",\n".join(json.dumps(verdict) for verdict in verdicts)
        parts = f' "equivalents": {json.dumps(worth)},\n "verdicts": [\n{lines}\n]'
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{json.dumps(about, indent=1)[:-2]},\n{parts}}}\n")

    @classmethod
    def load(cls, path: Path) -> "Judgement":
        """Reads what `save` wrote."""
        about = json.loads(path.read_text())
        verdicts, equivalents = from_records(about.pop("verdicts")), about.pop("equivalents")
        worth = {
            method: {place: _equivalent(fields) for place, fields in of_method.items()}
            for method, of_method in equivalents.items()
        }
        return cls(about, verdicts, worth)


def decisions(judgement: Judgement) -> rich.table.Table:
    """The claims, and for each method what is said of them."""
    return _table(["claim", *judgement.methods], _claims(judgement))


def figures(judgement: Judgement) -> rich.table.Table:
    """The figures of every row of evidence, and how many networks each method is worth."""
    return _table(["", *judgement.methods], [*_evidence(judgement), *_worth(judgement)])


def markdown(judgement: Judgement) -> str:
    """A table of claims, main gains and ratios, and equivalents, by method; how to read it; and the commands."""
    kept = ("gain, test accuracy", "gain, test NLL", "gain, shift NLL", _MEASURES["epistemic"], "disagreement")
    in_bold = [[claim, *(f"**{decision}**" for decision in decided)] for claim, *decided in _claims(judgement)]
    figures = [row for row in _evidence(judgement) if row[0].startswith((*kept, "kernel", "loss"))]
    header, rule = ["", *judgement.methods], ["---", *("---" for _ in judgement.methods)]
    lines = [header, rule, *in_bold, *figures, *_worth(judgement)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{table}\n\n{reading(judgement)}\n\n{made(judgement)}\n"


def reading(judgement: Judgement) -> str:
    """How to read the tables."""
    units = [
        f"{method} ({', '.join(f'{count} {factor}' for factor, count in verdicts['C1'].units.items())})"
        for method, verdicts in judgement.methods.items()
    ]
    about, scale = judgement.about, _first(_first(judgement.equivalents))
    notes = [
        f"In brackets 95 % intervals. Percent of the deep ensemble's gain over a single network, or of its members' "
        f"diversity; {DASH}: the deep ensemble has none, measurably, or there are too few seeds.",
        f"A method is worth as many independent networks as score like it together, on a scale of 1 to {scale.largest} "
        f"made of {about['networks']}.",
        *(
            f"On it a {name} is worth {_first(worth)} by {_WORTH['nll']}."
            for name, worth in judgement.equivalents.items()
            if name not in judgement.methods
        ),
        about["conditions"],
        *about["notes"],
        f"Judged: {', '.join(units)}.",
    ]
    return " ".join(notes)


def made(judgement: Judgement) -> str:
    """The commands behind it."""
    study, own = judgement.about["study"], judgement.about["provenance"]
    where = f"{own['processor']}, jax {own['jax']}"
    return f"`{study['command']}`, {study['date']}; `{own['command']}`, {own['date']}, {where}."


def _claims(judgement: Judgement) -> list[list[str]]:
    return [
        [f"{claim}: {statement}", *(verdicts[claim].decision for verdicts in judgement.methods.values())]
        for claim, statement in STATEMENTS.items()
    ]


def _evidence(judgement: Judgement) -> Iterator[list[str]]:
    """Names of rows of evidence, with their figures for each method: gains (of C2), then ratios (of C3 and C4)."""
    for claim in ("C2", "C3", "C4"):
        methods = [
            {(row.set_name, row.metric): row for row in verdicts[claim].evidence}
            for verdicts in judgement.methods.values()
        ]
        for set_name, metric in dict.fromkeys(place for rows in methods for place in rows):
            measure, where = _MEASURES.get(metric, metric.replace("_", " ")), set_name.removeprefix("ood/")
            name = f"gain, {where} {measure}" if claim == "C2" else f"{measure}, {where}"
            yield [name, *(_shown(rows.get((set_name, metric))) for rows in methods)]


def _worth(judgement: Judgement) -> Iterator[list[str]]:
    """Names of scores, with the number of networks that each method is worth by them."""
    methods = [judgement.equivalents[method] for method in judgement.methods]
    for place in dict.fromkeys(place for worth in methods for place in worth):
        set_name, metric = place.split(" ")
        name = f"worth in networks, {set_name.removeprefix('ood/')} {_WORTH[metric]}"
        yield [name, *(str(worth.get(place, DASH)) for worth in methods)]


def _first(mapping: Mapping[str, Any]) -> Any:
    return next(iter(mapping.values()))


def _shown(row: Evidence | None) -> str:
    return DASH if row is None or math.isnan(row.estimate) else percent(row)


def _table(header: list[str], rows: list[list[str]]) -> rich.table.Table:
    first, *methods = header
    table = rich.table.Table(first, box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for method in methods:
        table.add_column(method, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def _equivalent(fields: Mapping[str, Any]) -> Equivalent:
    known: dict[str, Any] = {name: math.nan if value is None else value for name, value in fields.items()}
    return Equivalent(**known)


def _rounded(part: Any) -> Any:
    """JSON-compatible, floats with few digits, NaN as null."""
    text = json.dumps(part)
    return json.loads(
        text, parse_float=lambda number: float(f"{float(number):.{DIGITS}g}"), parse_constant=lambda _: None
    )
