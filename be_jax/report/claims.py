"""The verdicts on the claims about methods, as a table."""

from collections.abc import Sequence

from be_jax.report.table import Cell, Column, Table
from be_jax.stats import STATEMENTS, Verdict


def claims_table(verdicts: Sequence[Verdict], methods: Sequence[str] = ()) -> Table:
    """The decision on each claim about each method: those of the verdicts, in their order, where none are named."""
    rows = tuple(methods) or tuple(dict.fromkeys(verdict.method for verdict in verdicts))
    decisions = {(verdict.method, verdict.claim): verdict.decision for verdict in verdicts}
    shown = tuple(
        Column(claim, tuple(Cell(decisions.get((method, claim), "not judged")) for method in rows))
        for claim in STATEMENTS
    )
    meaning = "; ".join(f"{claim}: {statement}" for claim, statement in STATEMENTS.items())
    return Table("Claims", rows, shown, f"{meaning}, which takes weights to judge.")
