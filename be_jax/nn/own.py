"""Parameters of a plain model that each member has for itself: they are in `fast`, at the same path."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
from flax.traverse_util import flatten_dict, unflatten_dict

from be_jax.nn.globs import Globs, matches_any
from be_jax.nn.lift import Seen

Path = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Own:
    """Which parameters, and how they start.

    Attributes:
      only: globs of their layers, or of the parameters themselves.
      norms: whether they are all scales and offsets of normalisation layers.
      last: whether they are those of the linear layer that is called last.
      spread: standard deviation by which members that would start as copies are told apart: all but offsets times
        N(1, spread^2), offsets plus N(0, spread^2). Scales and offsets always would, others from a trained network.
    """

    only: Globs = ()
    norms: bool = False
    last: bool = False
    spread: float = 0.0

    def selects(self, path: Path, seen: Seen) -> bool:
        """Whether the parameter at this path is a member's own."""
        layer, name = "/".join(path[:-1]), "/".join(path)
        is_norm, is_last = self.norms and layer in seen.norms, self.last and layer == next(reversed(seen.layers), None)
        return is_norm or is_last or matches_any(layer, self.only) or matches_any(name, self.only)

    def start(
        self, key: jax.Array, params: Mapping[str, Any], drawn: Mapping[str, Any], seen: Seen, trained: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Shared and own parameters of one member: `params` without, and the others as they start.

        Args:
          key: of this member.
          params: of the plain model.
          drawn: the same, drawn for this member alone.
          seen: the layers of the model.
          trained: whether `params` are a trained network's, from which the members start.
        """
        flat, fresh = flatten_dict(dict(params)), flatten_dict(dict(drawn))
        chosen = [path for path in sorted(flat) if self.selects(path, seen)]
        own = {}
        for place, path in enumerate(chosen):
            copy = flat.pop(path)
            value = copy if trained else fresh[path]
            is_norm = "/".join(path[:-1]) in seen.norms
            if self.spread and (trained or is_norm):
                noise = self.spread * jax.random.normal(jax.random.fold_in(key, place), value.shape)
                value = value + noise if is_norm and path[-1] == "bias" else value * (1 + noise)
            own[path] = value
        return unflatten_dict(flat), unflatten_dict(own)


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both trees in one; where both have an array, that of the second.

    The parameters of one member are `merged(fast, params)`: its own stand where `params` has none.
    """
    tree: dict[str, Any] = unflatten_dict(flatten_dict(dict(first)) | flatten_dict(dict(second)))
    return tree
