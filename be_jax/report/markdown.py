"""Tables in Markdown, of a committed result."""

from collections.abc import Sequence

from be_jax.report import columns
from be_jax.report.benchmark import title_with_set, with_distance
from be_jax.report.columns import Metric
from be_jax.report.summary import has_temperature, sets_of, summarise
from be_jax.report.table import Cell, Column, Table, row_names, score_column
from be_jax.report.tables import parameters, seeds_note
from be_jax.results import StudyResult


def markdown_table(result: StudyResult) -> str:
    """Methods as rows; quality on test and shift, detection and mutual information of OOD sets, parameters as columns.

    Ends with the line that says how to read it. Sets that were not scored have no columns. Of several OOD sets the
    mutual information is not shown: more columns would be hard to read.
    """
    ood, nll, scaled = sets_of(result, "ood/"), columns.NLL, columns.scaled(columns.NLL)
    nlls = (scaled, nll) if has_temperature(result) else (nll,)
    shown = [
        *(_column(result, "test", metric) for metric in (columns.ACCURACY, *nlls, columns.ECE)),
        *(_column(result, "shift", metric) for metric in (columns.ACCURACY, *nlls) if "shift" in sets_of(result)),
        *(_detection(result, name) for name in ood),
        *(_column(result, name, columns.MUTUAL_INFORMATION) for name in ("test", *ood[: len(ood) == 1])),
        Column("parameters", tuple(Cell(parameters(result, method)) for method in result.methods)),
    ]
    header = ["method", *(each.title for each in shown)]
    rows = [[name, *(_cell(each.cells[i]) for each in shown)] for i, name in enumerate(row_names(result))]
    rule = ["---", *("---:" for _ in shown)]
    note = seeds_note(result) + (" AUROC is by maximum probability." if ood else "")
    return "\n".join([*("| " + " | ".join(line) + " |" for line in (header, rule, *rows)), "", note, ""])


def _column(result: StudyResult, set_name: str, metric: Metric) -> Column:
    scores = score_column(result, summarise(result), set_name, metric)
    return scores._replace(title=title_with_set(result, set_name, metric))


def _detection(result: StudyResult, set_name: str) -> Column:
    found = score_column(result, summarise(result), set_name, columns.AUROC_MAX_PROBABILITY)
    return found._replace(title=f"{with_distance(result, set_name)} AUROC")


def _cell(cell: Cell) -> str:
    return f"**{cell.text}**" if cell.best else cell.text


def to_markdown(drawn: Sequence[Table], level: int = 3) -> str:
    """The tables in Markdown, under headings of this level, the best of each column bold."""
    parts = []
    for table in drawn:
        lines = [["", *(each.title for each in table.columns)], ["---", *("---:" for _ in table.columns)]]
        for i, row in enumerate(table.rows):
            cells = [each.cells[i] for each in table.columns]
            lines.append([row, *map(_cell, cells)])
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts.append(f"{'#' * level} {table.title}\n\n{body}\n\n{table.note}\n")
    return "\n".join(parts)
