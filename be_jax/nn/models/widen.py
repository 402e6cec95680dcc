"""The same network, wider or narrower: what as much, or as little, computation buys without members."""

from typing import Any

import flax.linen as nn

_WIDTHS = ("features", "widths", "width", "mlp_width")
_DIVISOR = {"width": "heads"}


def widen(model: nn.Module, factor: float) -> nn.Module:
    """`model` with every hidden width times `factor`: computation grows with its square, roughly.

    Raises:
      ValueError: a model without a field `features`, `widths`, `width` or `mlp_width`.
    """
    fields = {name: getattr(model, name) for name in _WIDTHS if hasattr(model, name)}
    if not fields:
        raise ValueError(
            f"{type(model).__name__} has none of the fields {', '.join(_WIDTHS)}, so that its width cannot be changed"
        )

    def scaled(value: Any, divisor: int = 1) -> Any:
        if isinstance(value, int):
            return max(1, round(value * factor / divisor)) * divisor
        return tuple(scaled(each) for each in value)

    return model.clone(**{name: scaled(value, _divisor(model, name)) for name, value in fields.items()})


def _divisor(model: nn.Module, name: str) -> int:
    """What a width must be a multiple of."""
    return int(getattr(model, _DIVISOR[name], 1)) if name in _DIVISOR else 1
