"""What an audit says of its judgement: the answer, or what cannot be judged from these files, and why."""

from be_jax.report.answer import answer
from be_jax.results import StudyResult
from be_jax.stats import Judgement

NOT_WITHOUT_REFERENCE = (
    "Not judged, for want of a reference: C1 (worse than a deep ensemble), C2 (tracks a single model) and C3 (members "
    "near-identical as functions). Each compares with networks trained apart from each other on the same data, which "
    "the members of one ensemble cannot stand for. Give single networks and deep ensembles, or a pool of independent "
    "networks."
)
NOT_WITHOUT_WEIGHTS = "Not judged, for want of weights: C4 (members near-identical in parameter space)."


def told(result: StudyResult, judgement: Judgement | None) -> list[str]:
    """The answer with its conditions, or why there is none."""
    if judgement is None:
        return [NOT_WITHOUT_REFERENCE, NOT_WITHOUT_WEIGHTS]
    return answer(result, judgement)
