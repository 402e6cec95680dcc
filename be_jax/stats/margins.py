"""What is judged, and how strictly: stated before, printed with every verdict."""

import dataclasses

from be_jax.config import check
from be_jax.stats.jackknife import RESAMPLES


@dataclasses.dataclass(frozen=True)
class JudgeConfig:
    """Margins, level and metrics of a judgement.

    Attributes:
      level: the probability of any false statement about a method.
      gain_margin: how much of the deep ensemble's gain, up or down, still counts as none (C2), or as nothing missing
        (C1).
      diversity_margin: below which part of a deep ensemble's diversity members are near-identical (C3, C4). A quarter
        by default, as of the gain. Mutual information and JS grow with the square of the differences between members,
        which then are half of those between independent networks; disagreement grows linearly.
      quality: metrics of C1 and C2 on `test` and `shift`.
      detection: metrics of C1 and C2 on OOD sets. The score must be one that a single network has too.
      diversity: measures of C3, on every set.
      resamples: bootstrap draws behind an interval.
    """

    level: float = 0.05
    gain_margin: float = 0.25
    diversity_margin: float = 0.25
    quality: tuple[str, ...] = ("accuracy", "nll", "ece")
    detection: tuple[str, ...] = ("auroc_max_probability",)
    diversity: tuple[str, ...] = ("epistemic", "disagreement", "pairwise_js")
    resamples: int = RESAMPLES

    def __post_init__(self) -> None:
        check(0 < self.level < 0.5, "level", self.level, "in (0, 0.5)")
        check(0 < self.gain_margin < 0.5, "gain_margin", self.gain_margin, "in (0, 0.5)")
        check(0 < self.diversity_margin < 1, "diversity_margin", self.diversity_margin, "in (0, 1)")
        check(self.resamples >= 1, "resamples", self.resamples, "an integer >= 1")
