"""What a study found, for readers: a few sentences, tables, figures, and one self-contained page.

Everything is computed from a `StudyResult`, and the figures of single examples from the runs' `predictions.npz`.
"""

from be_jax.report.answer import answer
from be_jax.report.figures import draw_figures
from be_jax.report.markdown import markdown_table
from be_jax.report.page import write_report
from be_jax.report.predictions import predictions_in
from be_jax.report.summary import summarise
from be_jax.report.terminal import print_tables

__all__ = [
    "answer",
    "draw_figures",
    "markdown_table",
    "predictions_in",
    "print_tables",
    "summarise",
    "write_report",
]
