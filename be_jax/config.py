"""How a run is trained, as one frozen record that is validated once and saved beside what it made."""

import dataclasses
import math
from typing import Any, Literal, get_args

Optimizer = Literal["adam", "sgd"]
BatchMode = Literal["repeat", "split", "independent"]
GradientRule = Literal["mean_over_users", "sum", "mean"]
Loss = Literal["members", "mixture"]
RepulsionAt = Literal["examples", "midpoints"]
Trained = Literal["all", "fast", "shared"]
Keep = Literal["last", "best"]


class ConfigError(ValueError):
    """A setting that cannot work; the message names it, its value and what would work."""


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Protocol of one training run. The defaults are the study's for MNIST, with its confounds mended: every method
    trains the same number of epochs, with the cuts of the learning rate inside, and ends with its last weights.

    Attributes:
      epochs: epochs to train; the most of them, with `patience`.
      batch_size: examples per step: for each member (`repeat`, `independent`), or for all members together (`split`).
      optimizer: "adam", or "sgd" (Nesterov momentum 0.9).
      learning_rate: of the kernels, and of all that is not a fast weight.
      milestones: epochs at whose start the learning rate is multiplied by `decay_factor`.
      decay_factor: see `milestones`.
      weight_decay: L2 penalty added to the gradient of the kernels (as the study's optimiser does, not decoupled).
      fast_weight_decay: the same for r and s.
      fast_learning_rate_multiplier: learning rate of r, s and the members' biases, relative to `learning_rate`.
      batch_mode: what the members see at a step: the same examples (`repeat`), disjoint parts of one batch (`split`),
        or examples in an order of their own (`independent`).
      gradient_rule: how far each weight steps. "mean_over_users": by the mean gradient over the members that use it,
        so that a learning rate means the same for every method: a shared kernel steps as a single network's does, a
        member's own weights as if it trained alone. "mean" (of the loss over members, as in the published code) steps
        a member's own weights m times less; "sum" steps a shared kernel m times further.
      loss: what is minimised: the mean NLL of "members", each for itself, or the NLL of their "mixture", in which a
        member that predicts well lets the others go; members must then see the same examples (`repeat`).
      repulsion: weight of a term that keeps the members' predictions apart (`be_jax.repulsion`), beside the loss;
        classification only, and members must see the same examples (`repeat`).
      repulsion_at: where they are kept apart: at the "examples" of the step, or at the "midpoints" of its first and
        second example, third and fourth, and so on, which are like no example.
      trained: "all" weights; the "fast" ones alone, with the weights that members share as they were at the start; or
        the "shared" ones alone, with fast weights as they were drawn.
      keep: the weights that a run ends with: of its "last" epoch, or of the "best" validation loss.
      patience: epochs without an improvement of the validation loss by `min_delta` before training stops; 0: never.
      min_delta: see `patience`; in nats.
    """

    epochs: int = 75
    batch_size: int = 128
    optimizer: Optimizer = "adam"
    learning_rate: float = 1e-3
    milestones: tuple[int, ...] = (25, 50)
    decay_factor: float = 0.1
    weight_decay: float = 1e-4
    fast_weight_decay: float = 0.0
    fast_learning_rate_multiplier: float = 1.0
    batch_mode: BatchMode = "repeat"
    gradient_rule: GradientRule = "mean_over_users"
    loss: Loss = "members"
    repulsion: float = 0.0
    repulsion_at: RepulsionAt = "examples"
    trained: Trained = "all"
    keep: Keep = "last"
    patience: int = 0
    min_delta: float = 1e-3

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            check(_is_int(getattr(self, name), at_least=1), name, getattr(self, name), "an integer >= 1")
        check(_is_int(self.patience, at_least=0), "patience", self.patience, "an integer >= 0 (0 never stops early)")
        named = {"optimizer": Optimizer, "batch_mode": BatchMode, "gradient_rule": GradientRule, "keep": Keep}
        named |= {"loss": Loss, "repulsion_at": RepulsionAt, "trained": Trained}
        for name, choices in named.items():
            value = getattr(self, name)
            check(value in get_args(choices), name, value, f"one of {', '.join(get_args(choices))}")
        for name in ("learning_rate", "decay_factor"):
            check(_is_number(getattr(self, name), above=0), name, getattr(self, name), "a finite number > 0")
        for name in ("weight_decay", "fast_weight_decay", "fast_learning_rate_multiplier", "repulsion", "min_delta"):
            check(_is_number(getattr(self, name), at_least=0), name, getattr(self, name), "a finite number >= 0")
        differ = f"where members see different examples (batch_mode={self.batch_mode!r})"
        same = self.batch_mode == "repeat"
        check(same or self.repulsion == 0, "repulsion", self.repulsion, f"0 {differ}")
        between = self.repulsion > 0 or self.repulsion_at == "examples"
        check(between, "repulsion_at", self.repulsion_at, "'examples' without a repulsion")
        check(same or self.loss == "members", "loss", self.loss, f"'members' {differ}")
        ascending = all(_is_int(e, at_least=1) for e in self.milestones) and all(
            a < b for a, b in zip(self.milestones, self.milestones[1:], strict=False)
        )
        check(ascending, "milestones", self.milestones, "ascending epochs >= 1")

    @property
    def late_milestones(self) -> tuple[int, ...]:
        """Those at which training has ended."""
        return tuple(epoch for epoch in self.milestones if epoch >= self.epochs)

    def check_fits(self, *, examples: int, members: int, devices: int, cycles: int = 0) -> None:
        """Raises ConfigError unless batches of `batch_size` can be cut from `examples`, for `members` and `devices`.

        And, where a method keeps the ends of `cycles` of the learning rate, unless epochs can be cut into them.
        """
        if cycles:
            check(self.epochs >= cycles, "epochs", self.epochs, f"at least {cycles}, one for each snapshot")
            check(self.keep == "last", "keep", self.keep, "'last': snapshots are the ends of cycles")
            check(self.patience == 0, "patience", self.patience, "0: snapshots are the ends of cycles")
        if self.batch_size > examples:
            raise ConfigError(f"batch_size={self.batch_size} exceeds the {examples} training examples")
        parts = devices * (members if self.batch_mode == "split" else 1)
        if self.batch_size % parts:
            split = f" x {members} members (batch_mode='split')" if self.batch_mode == "split" else ""
            raise ConfigError(f"batch_size={self.batch_size} is not divisible by {devices} devices{split}")
        if self.repulsion and self.repulsion_at == "midpoints" and self.batch_size // devices % 2:
            raise ConfigError(
                f"batch_size={self.batch_size} on {devices} devices leaves an example without a second one"
            )


def check(holds: bool, name: str, value: Any, wanted: str) -> None:
    """Raises a ConfigError that shows the value, unless `holds`."""
    if not holds:
        raise ConfigError(f"{name} must be {wanted}; got {value!r}")


def _is_int(value: Any, *, at_least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= at_least


def _is_number(value: Any, *, at_least: float = -math.inf, above: float = -math.inf) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return math.isfinite(value) and value >= at_least and value > above
