"""What `experiments.weights` measured, as tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import rich.box
import rich.table

from be_jax.stats.weights import MATCHED, Unit, Weights

SHOWN = {
    "kernel_distance": "distance of kernels",
    f"{MATCHED}kernel_distance": "... units matched",
    "cka": "CKA of representations",
    "loss_barrier": "loss barrier, nats",
    f"{MATCHED}loss_barrier": "... units matched",
}


def table(weights: Weights, names: Mapping[str, str]) -> rich.table.Table:
    """What is shown by method, means over runs or pairs of networks with the smallest and largest, for a terminal."""
    shown = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    header, *rows = _rows(weights, names)
    for index, title in enumerate(header):
        shown.add_column(title, justify="right" if index else "left")
    for row in rows:
        shown.add_row(*row)
    return shown


def markdown(weights: Weights, names: Mapping[str, str]) -> str:
    """The table, how to read it, and the command behind it."""
    about, made = weights.about, weights.about["provenance"]
    counts = ", ".join(_counted(method, units, names) for method, units in weights.scores.items())
    reading = (
        f"Means over {counts}; the smallest and the largest in brackets. Distances are means over layers, 0 for copies "
        f"and 1 for orthogonal kernels; CKA is 1 for copies, and no order of units changes it. The barrier is on the "
        f"line between two members, over {about['num_inputs']:,} test images; what batch normalisations give is "
        f"repaired there (arXiv 2211.08403)."
    )
    command = f"`{made['command']}`, {made['date']}, {made['processor']}, jax {made['jax']}."
    header, *rows = ["| " + " | ".join(row) + " |" for row in _rows(weights, names)]
    rule = "| --- |" + " ---: |" * len(weights.scores)
    return "\n".join([header, rule, *rows, "", reading, "", command, ""])


def _rows(weights: Weights, names: Mapping[str, str]) -> Iterator[list[str]]:
    yield ["between two members of a", *(names[method] for method in weights.scores)]
    for name, title in SHOWN.items():
        yield [title, *(_shown([scores[name] for scores in units.values()]) for units in weights.scores.values())]


def _counted(method: str, units: Mapping[Unit, Any], names: Mapping[str, str]) -> str:
    what = "pairs of networks" if len(next(iter(units))) == 2 else "runs"
    return f"{len(units)} {what} ({names[method]})"


def _shown(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} [{min(values):.3f}, {max(values):.3f}]"
