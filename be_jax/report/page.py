"""The report as one self-contained HTML page: it opens with the answer, and fetches nothing."""

import base64
import importlib.resources
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from be_jax.files import write_atomically
from be_jax.report.answer import answer
from be_jax.report.details import detailed_tables
from be_jax.report.figures import Illustration, draw_figures
from be_jax.report.figures.position import positions
from be_jax.report.methods import label
from be_jax.report.predictions import Load
from be_jax.report.tables import tables
from be_jax.report.words import claim_sentence
from be_jax.results import StudyResult
from be_jax.stats import Judgement, judge_results


def write_report(result: StudyResult, load: Load, path: Path, judgement: Judgement | None = None) -> Path:
    """Writes the page and returns its path; folders are made.

    Args:
      result: of the study.
      load: (method, seed) to the arrays of that run's `predictions.npz`, for the figures; not called for diverged runs.
      path: of the page.
      judgement: with which the page opens; that of the scores of the runs where it is not given.
    """
    source = importlib.resources.files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    judgement = judgement or judge_results(result)
    page = environment.from_string(source).render(
        result=result,
        **judged_parts(result, judgement),
        tables=tables(result, judgement),
        detailed_tables=detailed_tables(result),
        figures=[drawn_parts(each) for each in draw_figures(result, load)],
        provenance=flattened(result.provenance),
        config=flattened(result.config),
    )
    write_atomically(path, page)
    return path


def judged_parts(result: StudyResult, judgement: Judgement | None) -> dict[str, Any]:
    """What the template takes of a judgement: the answer, its figure, and a sentence for each claim."""
    judged = judgement.methods if judgement else ()
    position = positions(result, judgement) if judgement else None
    return {
        "answer": answer(result, judgement),
        "position": drawn_parts(position) if position else None,
        "claims": [
            claim_sentence(label(result, each.name), each, verdict) for each in judged for verdict in each.verdicts
        ],
    }


def drawn_parts(drawn: Illustration) -> dict[str, Any]:
    """An illustration as the template takes it."""
    return {**drawn._asdict(), "uri": svg_uri(drawn.figure)}


def svg_uri(figure: Figure) -> str:
    """The figure as a data URI, its text drawn as paths: it looks the same on every machine."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


def flattened(record: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as one, with dotted names; what is not text, as JSON."""
    flat: dict[str, str] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat
