"""A finished audit: its tables and sentences, on a terminal, as a page and as JSON."""

import dataclasses
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from rich.console import Console
from rich.text import Text

from be_jax.audit.alone import Scores, likeness_table, members_table, score_test_members
from be_jax.audit.arrays import Predictions
from be_jax.audit.compared import References, as_study, check_comparable, load_from
from be_jax.audit.judged import judged
from be_jax.audit.words import found_alone, told
from be_jax.report.details import detailed_tables
from be_jax.report.figures import draw_figures
from be_jax.report.judged_tables import judged_tables
from be_jax.report.page import drawn_parts, flattened, judged_parts
from be_jax.report.predictions import Load
from be_jax.report.table import Table
from be_jax.report.tables import tables
from be_jax.report.terminal import fitted
from be_jax.results import StudyResult
from be_jax.runs import write_atomically
from be_jax.stats import JudgeConfig, Judgement


@dataclasses.dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
      name: of the audited ensemble.
      result: scores of it and of its references, as of one of our own studies.
      of_members: of each audited run, see `score_test_members`.
      judgement: None without references.
    """

    name: str
    result: StudyResult
    of_members: tuple[Scores, ...]
    judgement: Judgement | None

    @property
    def answer(self) -> list[str]:
        """A few sentences: where the ensemble stands, if that can be said, first."""
        found, decided = found_alone(self.name, self.result, self.of_members), told(self.result, self.judgement)
        return decided + found if self.judgement else found + decided

    @property
    def tables(self) -> list[Table]:
        """Claims, then what needs no reference, then the tables of our own studies but the last: it is of training."""
        of_ensemble = [run.scores["test"] for run in self.result.runs if run.method == self.name]
        first, rest = judged_tables(self.result, self.judgement), tables(self.result)[:-1]
        return [
            *first,
            members_table(self.of_members, of_ensemble),
            likeness_table(self.name, self.of_members, of_ensemble),
            *rest,
        ]


def audit(
    runs: Sequence[Predictions],
    references: References | None = None,
    name: str = "audited ensemble",
    config: JudgeConfig | None = None,
) -> Audit:
    """Scores an ensemble and, with references, judges it.

    Args:
      runs: predictions of each of its runs, as of `checked`: one for each seed.
      references: networks trained apart; None judges nothing.
      name: what to call it.
      config: margins and level of the judgement.

    Raises:
      AuditError: predictions that cannot be set beside each other.
    """
    references, config = references or References(), config or JudgeConfig()
    check_comparable(name, runs, references)
    return Audit(
        name,
        as_study(name, runs, references),
        tuple(score_test_members(run) for run in runs),
        judged(name, runs, references, config) if references else None,
    )


def print_audit(found: Audit, console: Console | None = None) -> None:
    """Prints sentences and tables."""
    console = console or Console()
    for text in found.answer:
        console.print(Text(f"• {text}"))
    for table in found.tables:
        console.print()
        console.print(fitted(table, console))


def write_audit(
    found: Audit,
    runs: Sequence[Predictions],
    references: References | None,
    folder: Path,
    provenance: Mapping[str, Any],
) -> Path:
    """Writes `results.json`, `members.json`, `report.html` and, with references, `verdicts.json`.

    Returns the page's path.

    Args:
      found: of `audit` for these runs and references.
      runs, references: for the figures.
      folder: is made.
      provenance: JSON-compatible: how the audit was made.
    """
    result = dataclasses.replace(found.result, provenance=provenance)
    result.save(folder / "results.json")
    write_atomically(folder / "members.json", json.dumps(found.of_members, indent=1) + "\n")
    if found.judgement:
        found.judgement.save(folder / "verdicts.json")
    page = folder / "report.html"
    load = load_from(found.name, runs, references or References())
    page.write_text(_rendered(dataclasses.replace(found, result=result), load), encoding="utf-8")
    return page


def _rendered(found: Audit, load: Load) -> str:
    """The page of our studies, with the blocks of `audit.html.j2` in place of those that speak of training."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("audit.html.j2").render(
        name=found.name,
        result=found.result,
        **{**judged_parts(found.result, found.judgement), "answer": found.answer},
        tables=found.tables,
        detailed_tables=detailed_tables(found.result),
        figures=[drawn_parts(each) for each in draw_figures(found.result, load)],
        provenance=flattened(found.result.provenance),
        config=flattened(dataclasses.asdict(found.judgement.config) if found.judgement else found.result.config),
    )


def _template(name: str) -> str:
    package = "be_jax.report" if name == "report.html.j2" else __package__
    return importlib.resources.files(package).joinpath(name).read_text(encoding="utf-8")
