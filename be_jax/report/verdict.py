"""A word for a gain, where its interval supports one."""

from be_jax.report.ratios import Ratio

MARGIN = 0.25  # "like" means: the whole 95 % interval is this near to 0 (a single model) or 1 (a deep ensemble)

LIKE_SINGLE = "behaves like a single model"
LIKE_DEEP = "behaves like a deep ensemble"
WORSE = "is worse than a single model"
BETTER = "is better than a deep ensemble"
BETWEEN = "lies between a single model and a deep ensemble"
UNDECIDED = "remains undecided"


def verdict(gain: Ratio) -> str:
    """The first of these that the 95 % interval of a defined gain lies in; undecided where it spans them.

    Like a single model: [-0.25, 0.25]. Like a deep ensemble: [0.75, 1.25]. Worse: below 0. Better: above 1. Between:
    (0, 1).
    """
    lower, upper = gain.lower, gain.upper
    if lower >= -MARGIN and upper <= MARGIN:
        return LIKE_SINGLE
    if lower >= 1 - MARGIN and upper <= 1 + MARGIN:
        return LIKE_DEEP
    if upper < 0:
        return WORSE
    if lower > 1:
        return BETTER
    if lower > 0 and upper < 1:
        return BETWEEN
    return UNDECIDED
