"""The report as one self-contained HTML page: it opens with the answer, and fetches nothing."""

import base64
import importlib.resources
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from be_jax.report.answer import answer
from be_jax.report.claims import claims_table
from be_jax.report.details import detailed_tables
from be_jax.report.figures import draw_figures
from be_jax.report.predictions import Load
from be_jax.report.tables import tables
from be_jax.results import StudyResult
from be_jax.stats import Verdict, sentence


def write_report(result: StudyResult, load: Load, path: Path, verdicts: Sequence[Verdict] = ()) -> Path:
    """Writes the page and returns its path; folders are made.

    Args:
      result: what the answer and the tables are computed from.
      load: (method, seed) to the arrays of that run's `predictions.npz`, for the figures; not called for diverged runs.
      path: of the page.
      verdicts: on the claims about the methods, with which the page then opens.
    """
    source = importlib.resources.files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    figures = [{**drawn._asdict(), "uri": svg_uri(drawn.figure)} for drawn in draw_figures(result, load)]
    page = environment.from_string(source).render(
        result=result,
        claims=claims_table(verdicts) if verdicts else None,
        verdicts=[sentence(verdict) for verdict in verdicts],
        answer=answer(result),
        tables=tables(result),
        detailed_tables=detailed_tables(result),
        figures=figures,
        provenance=flattened(result.provenance),
        config=flattened(result.config),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


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
