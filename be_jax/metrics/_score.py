"""What is known of a score but how it is computed: its name, its unit, which way is better, and what it needs."""

import dataclasses
from typing import Literal

Better = Literal["higher", "lower", "neither"]
Need = Literal["labels", "members", "logits", "validation", "gaussian", "ood"]
"""What a score takes beyond log-probabilities.

labels: what was true, classes or numbers. members: more than one, or it says nothing. logits: with their scale.
validation: a labelled set of its own. gaussian: means and variances of a regression, in the place of
log-probabilities. ood: a second set, out of distribution.
"""


@dataclasses.dataclass(frozen=True)
class Score:
    """One score.

    Attributes:
      key: its name where scores are stored.
      title: its name in a table, without the unit.
      unit: "%" for a fraction that is shown in percent (`scale`), "nats", "target" for the unit of a regression's
        targets, "classes", or "" for a number without one.
      better: which way; "neither" for what is not good or bad in itself.
      decimals: digits after the point, in the unit.
      needs: what it takes beyond log-probabilities, see `Need`.
    """

    key: str
    title: str
    unit: str
    better: Better
    decimals: int
    needs: frozenset[Need] = frozenset()

    @property
    def scale(self) -> int:
        """From the stored number to the unit."""
        return 100 if self.unit == "%" else 1

    @property
    def heading(self) -> str:
        """The title with its "%", as a column is headed."""
        return f"{self.title} %" if self.unit == "%" else self.title

    @property
    def sign(self) -> int:
        """1 where larger is better, -1 where smaller is; times a score, larger is better.

        Raises:
          ValueError: neither way is better.
        """
        if self.better == "neither":
            raise ValueError(f"{self.key!r} ({self.title}) is not better in one direction: it cannot rank methods")
        return 1 if self.better == "higher" else -1


def rows(better: Better, needs: str, *rows: tuple[str, str, str, int]) -> list[Score]:
    """Rows of (key, title, unit, decimals) that agree in the rest."""
    return [Score(key, title, unit, better, decimals, frozenset(needs.split())) for key, title, unit, decimals in rows]  # type: ignore[arg-type]
