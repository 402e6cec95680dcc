"""The tables, on a terminal and as a page: what is measured as rows, methods as columns."""

from collections.abc import Callable
from typing import Any, NamedTuple

from be_jax.cost import Seconds
from be_jax.report.methods import title
from be_jax.report.table import Cell, Column, Table
from experiments.cost.measure import Costs, Program, Settings
from experiments.cost.result import SINGLE, Result

BESIDE_SINGLE = 3
"""Methods in a compact table, beside the single network."""


class Row(NamedTuple):
    """A row of the table.

    Attributes:
      title: with its unit.
      value: in that unit; None where it was not measured.
      shown: how it is written.
      has_ratio: whether a ratio to a single network is a cost of its own.
    """

    title: str
    value: Callable[[Costs], float | None]
    shown: str = "{:,.3g}"
    has_ratio: bool = True


def rows_of(settings: Settings, rate: float | None) -> list[Row]:
    """All rows, those without times first.

    Args:
      settings: how it was measured.
      rate: of a matrix product, in operations a second.
    """
    batch = settings.batch
    prediction, step = f"prediction of {batch}", f"step of {batch}"
    counted = [
        Row("parameters", lambda c: c.parameters, "{:,.0f}"),
        Row("variables, MB", lambda c: c.variable_bytes / 1e6),
        Row("checkpoint, MB", lambda c: c.checkpoint_bytes / 1e6),
        Row(f"{prediction}: GFLOPs", lambda c: c.prediction.flops / 1e9),
        Row("... GB accessed, unfused", lambda c: c.prediction.bytes_accessed / 1e9),
        Row("... temporaries, MB", lambda c: c.prediction.temporaries / 1e6),
        Row(f"{step}: GFLOPs", lambda c: c.step.flops / 1e9),
        Row("... GB accessed, unfused", lambda c: c.step.bytes_accessed / 1e9),
        Row("... temporaries, MB", lambda c: c.step.temporaries / 1e6),
    ]
    if not settings.times:
        return counted

    def seconds(measured: Callable[[Costs], Seconds | None], of_median: Callable[[float], float]) -> Any:
        def value(costs: Costs) -> float | None:
            found = measured(costs)
            return None if found is None else of_median(found.median)

        return value

    def share(program: Callable[[Costs], Program]) -> Any:
        def value(costs: Costs) -> float | None:
            of = program(costs)
            return None if of.seconds is None or not rate else of.flops / rate / of.seconds.median

        return value

    return [
        *counted,
        Row("prediction of 1: ms", seconds(lambda c: c.latency, lambda s: 1e3 * s)),
        Row(f"{prediction}: ms", seconds(lambda c: c.prediction.seconds, lambda s: 1e3 * s)),
        Row(
            "... examples a second",
            seconds(lambda c: c.prediction.seconds, lambda s: batch / s),
            "{:,.0f}",
            has_ratio=False,
        ),
        Row("... share of the matmul rate", share(lambda c: c.prediction), "{:.2f}", has_ratio=False),
        Row("... compilation, s", lambda c: c.prediction.compile_s),
        Row(f"{step}: ms", seconds(lambda c: c.step.seconds, lambda s: 1e3 * s)),
        Row("... share of the matmul rate", share(lambda c: c.step), "{:.2f}", has_ratio=False),
        Row("... compilation, s", lambda c: c.step.compile_s),
    ]


def ratio(row: Row, costs: Costs, single: Costs | None) -> float | None:
    """The value relative to the single network's; None where either was not measured."""
    if single is None or not row.has_ratio:
        return None
    value, of_single = row.value(costs), row.value(single)
    return None if value is None or not of_single else value / of_single


def tables(result: Result, *, compact: bool = False) -> list[Table]:
    """For each network and dtype: what is measured as rows, methods as columns, ratios to a single network.

    Args:
      result: what was measured.
      compact: for a terminal: only the ratio is shown where there is one, and few methods beside the single network.
    """
    made = []
    for (network, dtype), of_methods in result.groups().items():
        rows = rows_of(result.settings, result.matmul_rates.get(dtype))
        single = of_methods.get(SINGLE)
        others = [method for method in of_methods if method != SINGLE]
        size = BESIDE_SINGLE if compact else max(1, len(others))
        for start in range(0, max(1, len(others)), size):
            shown = [*([SINGLE] if single else []), *others[start : start + size]]
            columns = tuple(
                Column(
                    title(method),
                    tuple(Cell(_cell(row, of_methods[method], single, compact)) for row in rows),
                )
                for method in shown
            )
            note = _note(result, network, dtype) if start + size >= len(others) else ""
            made.append(Table(f"{network}, {dtype}", tuple(row.title for row in rows), columns, note))
    return made


def _cell(row: Row, costs: Costs, single: Costs | None, compact: bool) -> str:
    value = row.value(costs)
    if value is None:
        return "-"
    shown = row.shown.format(value) if value < 1000 else f"{value:,.0f}"
    relative = ratio(row, costs, single) if costs is not single else None
    if relative is None:
        return shown
    return f"{relative:.2f} x" if compact else f"{shown} ({relative:.2f} x)"


def _note(result: Result, network: str, dtype: str) -> str:
    parts = [f"m = {result.settings.members}. x: relative to a single network."]
    if rate := result.matmul_rates.get(dtype):
        parts.append(f"Times are medians on {result.device}; matmul rate {rate / 1e9:,.0f} GFLOP/s.")
    spreads = [_spread(each) for each in result.groups()[network, dtype].values()]
    if widest := max((s for s in spreads if s is not None), default=None):
        parts.append(f"Slowest call over median, at most: {widest:.2f}.")
    parts += [f"{c.method}: {c.note}." for c in result.groups()[network, dtype].values() if c.note]
    parts += [f"{s.method}: skipped, {s.why}." for s in result.skipped if (s.network, s.dtype) == (network, dtype)]
    return " ".join(parts)


def _spread(costs: Costs) -> float | None:
    measured = (costs.latency, costs.prediction.seconds, costs.step.seconds)
    return max((each.slowest / each.median for each in measured if each), default=None)


def markdown(result: Result, figure: str = "") -> str:
    """The same tables as a page, with the figure of this name."""
    provenance = result.provenance
    lines = [
        "# What an ensemble costs",
        "",
        f"`{provenance['command']}`, {provenance['date']}, jax {provenance['jax']}, {result.device}. FLOPs and bytes "
        "are XLA's count before any fusion, the same on every machine; temporaries are those of the program as "
        "compiled for this device. Share of the matmul rate: of the time, what the FLOPs would take at the rate of a "
        "large matrix product, measured in the same run. Networks have no dropout but for MC dropout and Masksembles.",
    ]
    lines += ["", f"![costs]({figure})"] if figure else []
    if not result.settings.times:
        lines += ["", "No times were measured."]
    for table in tables(result):
        header = ["", *(column.title for column in table.columns)]
        rows = [[name, *(column.cells[i].text for column in table.columns)] for i, name in enumerate(table.rows)]
        rule = ["---", *("---:" for _ in table.columns)]
        lines += ["", f"## {table.title}", ""]
        lines += ["| " + " | ".join(line) + " |" for line in (header, rule, *rows)]
        lines += ["", table.note]
    return "\n".join(lines) + "\n"
