"""A model's arrays, layer by layer: which are shared, and which each member has for itself."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from be_jax.nn.lift import Seen


def table(seen: Seen, variables: Mapping[str, Any], is_per_member: Callable[[str], bool]) -> str:
    """Lines `layer | class | shared | of each member`, and the totals; shapes without the axis of members."""
    kinds = {path: name for path, (name, _) in seen.layers.items()} | seen.norms | seen.dropouts
    cells: dict[str, tuple[list[str], list[str]]] = {path: ([], []) for path in kinds}
    totals, members = [0, 0], 1
    for collection, tree in variables.items():
        own = is_per_member(collection)
        for path, array in flatten_dict(dict(tree)).items():
            shape = jnp.shape(array)[1:] if own else jnp.shape(array)
            members = len(array) if own else members
            totals[own] += math.prod(shape) if collection in ("params", "fast") else 0
            name = path[-1] if collection in ("params", "fast") else f"{collection}: {path[-1]}"
            cells.setdefault("/".join(path[:-1]), ([], []))[own].append(f"{name} {list(shape)}")
    rows: list[tuple[str, ...]] = [("layer", "class", "shared", "of each member")]
    rows += [(path or "(model)", kinds.get(path, ""), *map(", ".join, cells[path])) for path in sorted(cells)]
    rows += [("parameters", "", f"{totals[0]:,}", f"{totals[1]:,}{f' x {members}' if totals[1] else ''}")]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
