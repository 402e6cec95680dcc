"""A finished audit: its sentences and tables, on a terminal, as a page and as JSON."""

import dataclasses
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from rich.console import Console
from rich.text import Text

from be_jax.audit.caveats import caveats
from be_jax.audit.classification import CLASSIFICATION
from be_jax.audit.compared import References, as_study, check_comparable, load_from, with_the_same_scores
from be_jax.audit.headline import Levels, figure, levels, sentence
from be_jax.audit.judged import judged
from be_jax.audit.regression import REGRESSION
from be_jax.audit.task import Rows, Scores, Task
from be_jax.audit.words import told
from be_jax.command_line import writable
from be_jax.files import write_atomically
from be_jax.npz import Predictions
from be_jax.report.figures.illustration import Illustration
from be_jax.report.judged_tables import judged_tables
from be_jax.report.page import drawn_parts, flattened, judged_parts
from be_jax.report.table import Table
from be_jax.report.terminal import fitted
from be_jax.results import StudyResult
from be_jax.stats import JudgeConfig, Judgement
from be_jax.stats.judgement import as_json


@dataclasses.dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
      name: of the audited ensemble.
      task: classification or regression.
      result: scores of it and of its references, as of one of our own studies.
      of_members: of each audited run, see `Task.score_members`.
      parts: of each audited run, scores of `Task.parts` by their keys.
      caveats: what to know before any figure, such as that members are copies; the gravest first.
      judgement: None without references.
    """

    name: str
    task: Task
    result: StudyResult
    of_members: tuple[Scores, ...]
    parts: Mapping[str, tuple[Rows, ...]]
    caveats: tuple[str, ...]
    judgement: Judgement | None

    @property
    def headline(self) -> str:
        """Where the ensemble stands, in one sentence."""
        return sentence(self.name, self._levels, self.task.primary, self._members, self.judgement)

    @property
    def standing(self) -> Illustration:
        """The same as a figure."""
        return figure(self.name, self._levels, self.task.primary, self._members)

    @property
    def against_references(self) -> list[str]:
        """The verdicts in words; or why there are none."""
        return told(self.result, self.judgement)

    @property
    def of_members_alone(self) -> list[str]:
        """What holds with and without references: a member was trained with the others, and is no single network."""
        parts = [text for part in self.task.parts for text in part.told(self.parts[part.key])]
        return [*self.task.found(self.name, self.result, self.of_members), *parts]

    @property
    def answer(self) -> list[str]:
        """Caveats, the headline, and a few sentences: the verdicts first, if there are any."""
        parts = [self.against_references, self.of_members_alone]
        texts = [text for part in (parts if self.judgement else parts[::-1]) for text in part]
        return [*self.caveats, self.headline, *texts]

    @property
    def tables(self) -> list[Table]:
        """Claims, deep-ensemble equivalents, and those of the task."""
        return [
            *judged_tables(self.result, self.judgement),
            *self.task.tables(self.name, self.result, self.of_members),
            *(table for part in self.task.parts for table in part.tables(self.parts[part.key])),
        ]

    @property
    def record(self) -> dict[str, Any]:
        """All of it as JSON has it: what is not a number is null, what has no bound "Infinity" with its sign."""
        record = {
            "method": self.name,
            "headline": self.headline,
            "caveats": self.caveats,
            "members": self.of_members,
            **self.parts,
            "scores": [{"method": run.method, "run": run.seed, **run.scores} for run in self.result.runs],
            "judgement": None if self.judgement is None else dataclasses.asdict(self.judgement),
        }
        return as_json(record)  # type: ignore[no-any-return]

    @property
    def _levels(self) -> Levels:
        return levels(self.name, self.result, self.of_members, self.task.primary)

    @property
    def _members(self) -> int:
        return int(self.result.config["members"])


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
    runs, references = with_the_same_scores(runs, references or References())
    config = config or JudgeConfig()
    check_comparable(name, runs, references)
    task = REGRESSION if "test/mean" in runs[0] else CLASSIFICATION
    return Audit(
        name,
        task,
        as_study(task, name, runs, references),
        tuple(task.score_members(run) for run in runs),
        {part.key: tuple(part.score(run) for run in runs) for part in task.parts},
        tuple(caveats(name, runs)),
        judged(task, name, runs, references, config) if references else None,
    )


def print_audit(found: Audit, console: Console | None = None) -> None:
    """Prints sentences and tables."""
    console = console or Console()
    for text in found.answer:
        console.print(Text(writable(f"• {text}", console.encoding)))
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
    """Writes `results.json`, `verdicts.json` and `report.html` into a folder; returns the page's path.

    Args:
      found: of `audit` for these runs and references.
      runs, references: for the figures.
      folder: is made.
      provenance: JSON-compatible: how the audit was made.

    Raises:
      OSError: a file cannot be written; names it. What stood there before is untouched.
    """
    found = dataclasses.replace(found, result=dataclasses.replace(found.result, provenance=provenance))
    found.result.save(folder / "results.json")
    write_atomically(folder / "audit.json", json.dumps(found.record, indent=1) + "\n")
    if found.judgement:
        found.judgement.save(folder / "verdicts.json")
    page = folder / "report.html"
    load = load_from(found.name, *with_the_same_scores(runs, references or References()))
    write_atomically(page, _rendered(found, found.task.figures(found.result, load)))
    return page


def _rendered(found: Audit, figures: Sequence[Illustration]) -> str:
    """The page of our studies, with the blocks of `audit.html.j2` in place of those that speak of training."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    opening, *drawn = map(drawn_parts, (found.standing, *figures))
    return environment.get_template("audit.html.j2").render(
        found=found,
        name=found.name,
        opening=opening,
        result=found.result,
        **judged_parts(found.result, found.judgement),
        tables=found.tables,
        detailed_tables=found.task.detailed(found.result),
        figures=drawn,
        provenance=flattened(found.result.provenance),
        config=flattened(dataclasses.asdict(found.judgement.config) if found.judgement else found.result.config),
    )


def _template(name: str) -> str:
    package = "be_jax.report" if name == "report.html.j2" else __package__
    return importlib.resources.files(package).joinpath(name).read_text(encoding="utf-8")
