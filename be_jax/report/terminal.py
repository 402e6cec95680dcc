"""The answer and the tables on a terminal, as many columns as fit its width."""

import rich.box
import rich.table
from rich.console import Console
from rich.measure import Measurement
from rich.text import Text

from be_jax.command_line import writable
from be_jax.report.answer import answer
from be_jax.report.table import Table
from be_jax.report.tables import tables
from be_jax.results import StudyResult
from be_jax.stats import Judgement, judge_results


def print_plain(text: str, console: Console | None = None) -> None:
    """Prints a line as it is: a path may hold brackets, which rich would take for markup, and is not to be broken."""
    console = console or Console()
    console.print(writable(text, console.encoding), markup=False, highlight=False, soft_wrap=True)


def print_tables(result: StudyResult, console: Console | None = None, judgement: Judgement | None = None) -> None:
    """Prints the answer and every table. Columns that do not fit are left out from the right, and named below.

    Without a judgement, that of the scores of the runs.
    """
    console, judgement = console or Console(), judgement or judge_results(result)
    print_answer(result, console, judgement)
    for table in tables(result, judgement):
        console.print()
        console.print(fitted(table, console))


def print_answer(result: StudyResult, console: Console, judgement: Judgement | None = None) -> None:
    """Prints the sentences of the answer."""
    for sentence in answer(result, judgement):
        console.print(Text(writable(f"• {sentence}", console.encoding)))


def fitted(table: Table, console: Console) -> rich.table.Table:
    """The table with its first columns, as many as fit the console, at least one."""
    for shown in range(len(table.columns), 1, -1):
        drawn = _drawn(table, shown, console.encoding)
        if Measurement.get(console, console.options.update(max_width=1000), drawn).maximum <= console.width:
            return drawn
    return _drawn(table, 1, console.encoding)


def _drawn(table: Table, shown: int, encoding: str) -> rich.table.Table:
    def text(content: str, style: str = "") -> Text:
        return Text(writable(content, encoding), style)

    left_out = [column.title for column in table.columns[shown:]]
    note = table.note + (f" Left out, for a wider terminal: {', '.join(left_out).rstrip('.')}." if left_out else "")
    drawn = rich.table.Table(
        title=text(table.title),
        caption=text(note, "dim"),
        box=rich.box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        padding=(0, 1),
        collapse_padding=True,
        pad_edge=False,
    )
    drawn.add_column("", no_wrap=True)
    for column in table.columns[:shown]:
        drawn.add_column(text(column.title), justify="right", no_wrap=True)
    for row, name in enumerate(table.rows):
        cells = (column.cells[row] for column in table.columns[:shown])
        drawn.add_row(text(name), *(text(cell.text.replace(" ± ", "±"), "bold" if cell.best else "") for cell in cells))
    return drawn
