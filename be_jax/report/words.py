"""What endpoints, claims and numbers of a judgement are called: the one set of words of terminals and pages."""

from collections.abc import Sequence

from be_jax.metrics import registry
from be_jax.report.columns import percent
from be_jax.stats.claims import STATEMENTS, TOWARDS_DEEP, Verdict
from be_jax.stats.config import OOD, PARAMETERS, ROOT, Endpoint, JudgeConfig
from be_jax.stats.controls import Control, checks_nothing
from be_jax.stats.fieller import Interval
from be_jax.stats.judgement import Judgement, MethodJudgement
from be_jax.stats.rows import Row

_MEASURES = {
    "kernel_distance": "kernel distance",
    "loss_barrier": "loss barrier",
    "epistemic": "mutual information",
    "disagreement": "disagreement",
    "pairwise_js": "JS divergence",
    "accuracy": "accuracy",
}


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def counted(count: int, what: str) -> str:
    """ "1 run", "2 runs"."""
    return f"{count} {what}{'s' * (count != 1)}"


def measure(metric: str) -> str:
    """Such as "NLL (temperature-scaled)" or "root of mutual information"."""
    base = metric.removeprefix(ROOT)
    if base != metric:
        return f"root of {measure(base)}"
    if base.endswith("_scaled"):
        return f"{measure(base.removesuffix('_scaled'))} (temperature-scaled)"
    if base in _MEASURES:
        return _MEASURES[base]
    score = registry.lookup(base)
    return "AUROC" if base == "auroc_max_probability" else score.title


def short_title(endpoint: Endpoint) -> str:
    """As in a sentence: such as "scaled test NLL"."""
    return ("scaled " if endpoint.raw != endpoint else "") + endpoint_title(endpoint.raw)


def endpoint_title(endpoint: Endpoint) -> str:
    """Such as "test NLL (temperature-scaled)" or "OOD AUROC"."""
    set_name = "OOD" if endpoint.set_name == OOD else endpoint.set_name.removeprefix("ood/")
    words = measure(endpoint.metric)
    return words if endpoint.set_name == PARAMETERS else f"{set_name} {words}"


def table_title(endpoint: Endpoint) -> str:
    """As a column is headed: such as "test NLL scaled"."""
    return (
        endpoint_title(endpoint)
        .replace(" (temperature-scaled)", " scaled")
        .replace("root of mutual information", "√MI")
        .replace("root of JS divergence", "√JS")
    )


def headline(name: str, judged: MethodJudgement, config: JudgeConfig) -> str:
    """Where a method stands between a single model and a deep ensemble, in one sentence, or two."""
    verdict, primary = _telling(judged), judged.row(*config.primary)
    assert primary is not None
    said, recovered = standing(name, judged), recovery(primary)
    if judged.undertrained:
        return f"{said} ({judged.undertrained})."
    if verdict.reached:
        return f"{said} ({how_far(judged, verdict)}): {recovered}."
    apart = judged.verdict("C1")
    worse = f" It is worse than a deep ensemble: {how_far(judged, apart)}." if apart.decision == "supported" else ""
    return f"{said}: {recovered}{_open(primary)}.{worse}"


def standing(name: str, judged: MethodJudgement) -> str:
    """Where a method stands, and by which endpoints; or that it is not known."""
    if judged.undertrained:
        return f"{name} is not judged: undertrained"
    verdict = _telling(judged)
    if not verdict.reached:
        return f"It is undecided which end {name} is nearer to"
    said = [f"{words} in {listed(list(map(short_title, ends)))}" for words, ends in verdict.words.items()]
    mixed = {words in TOWARDS_DEEP for words in verdict.words} == {True, False}
    return f"{f'Mixed for {name}: it is' if mixed else f'{name} is'} {', and '.join(said)}"


def _telling(judged: MethodJudgement) -> Verdict:
    """C2; or C1, where that says more: better than a deep ensemble by some endpoints, and worse by others."""
    apart, tracks = judged.verdict("C1"), judged.verdict("C2")
    return apart if apart.decision == "mixed" and apart.reached > tracks.reached else tracks


def recovery(row: Row) -> str:
    """What a method recovers of the deep ensemble's gain, by one endpoint."""
    if not row.position.pieces:
        return row.reason
    text = f"it recovers {percent(row.position)} of the deep ensemble's gain in {short_title(row.endpoint)}"
    return text if row.position.bounded else f"{text}; {row.reason}"


def how_far(judged: MethodJudgement, verdict: Verdict) -> str:
    """How many endpoints of a claim are decided, and what the next one lacks."""
    count, reached = len(verdict.stated), verdict.reached
    if reached == count:
        return f"all {count} endpoints"
    following = verdict.stated[reached].endpoint
    row = judged.row(*following)
    title = short_title(following)
    if row is None or row.missing:
        return f"{reached} of {count} endpoints; the next, {title}, was not measured"
    shown = f" at {percent(row.position)}," if row.position.pieces else ","
    return f"{reached} of {count} endpoints; the next, {title}{shown} is open"


def _open(row: Row) -> str:
    """What the study could have shown, and what would decide."""
    if not row.position.pieces:
        return ""
    needed = f"; to tell a single model from a deep ensemble would take {units_needed(row)}"
    if not row.detectable < 1:
        return needed
    far = round(100 * row.detectable)
    ends = f"a gain below {50 - far} % or above {50 + far} %".replace("-", "−")
    if row.detectable <= 0.5:
        return f"; the study has 80 % power to tell {ends} from half: the true one may lie between"
    return f"; the study has 80 % power only for {ends}{needed}"


def units_needed(row: Row) -> str:
    """Such as "12 seeds of A and 20 networks"."""
    if row.needed is None:
        return "more test examples, or a deep ensemble that gains more"
    return listed([f"{count:,} {factor}" for factor, count in row.needed.items()])


def claim_sentence(name: str, judged: MethodJudgement, verdict: Verdict) -> str:
    """A claim about a method, its decision, and the figures behind it."""
    opening = f"{verdict.claim}, {name} {STATEMENTS[verdict.claim]}: {verdict.decision}"
    parts = [f"{words}: {_figures(judged, endpoints)}" for words, endpoints in verdict.words.items()]
    said = f". {'; '.join(parts)}" if parts else ""
    why = f" ({_with_titles(verdict.reason, verdict)})" if verdict.reason else ""
    return f"{opening}{why}{said}."


def _figures(judged: MethodJudgement, endpoints: Sequence[Endpoint]) -> str:
    rows = [row for endpoint in endpoints if (row := judged.row(*endpoint)) is not None]
    return listed([f"{endpoint_title(row.endpoint)} {percent(row.position)}" for row in rows])


def _with_titles(reason: str, verdict: Verdict) -> str:
    for each in verdict.stated:
        reason = reason.replace(str(each.endpoint), endpoint_title(each.endpoint))
    return reason


def control_sentence(control: Control) -> str:
    """A control: what it should be, what it is."""
    figures = (
        f" {percent(control.position)}, expected {100 * control.expected:.0f} %" if control.position.pieces else ""
    )
    reason = f" ({control.reason})" if control.reason else ""
    return f"{control.name}: {control_outcome(control.passed, control.position)}{reason}{figures}"


def control_outcome(passed: bool | None, position: Interval) -> str:
    """Whether a control passed, and whether it could have failed: one that has 0 and 1 in it checks nothing."""
    if passed is None:
        return "not run"
    if not passed:
        return "failed"
    if checks_nothing(position):
        return "checks nothing (its interval has both 0 % and 100 % in it)"
    return "passed, though 50 % is in its interval" if position.holds(0.5) else "passed"


def conditions(config: JudgeConfig) -> str:
    """What the verdicts were decided by."""
    order = ", ".join(endpoint_title(endpoint) for endpoint in config.quality)
    return (
        f"In brackets {100 * config.confidence:g} % intervals: every value that the test does not reject. Endpoints "
        f"are tested in this order, each at {100 * config.level:g} %, until an interval contains 50 %; what comes "
        f"after that is shown, not claimed: {order}. Equivalent to: within {100 * config.margin:g} points of 0 % or "
        "100 %. Statements of each strength (nearer to; worse or better than; equivalent to) form a sequence of their "
        f"own: of each, about each method, the chance of any false one is at most {100 * config.level:g} %. This is "
        "not corrected for the number of methods. Far below a single model: wholly below "
        f"−{100 * config.margin:g} % at {100 * config.level:g} % divided by the number of endpoints, where the "
        "sequence of worse than does not reach; wholly below it at the level of its endpoint alone is said to be below "
        "half, and speaks for neither."
    )


MOST_NAMED = 8
"""Methods whose seeds are told one by one."""


def judged_on(judgement: Judgement) -> str:
    """What the judgement rests on."""
    units = {f: n for method in judgement.methods for f, n in method.units.items()}
    seeds = {count for factor, count in units.items() if factor.startswith("seeds of ")}
    if len(judgement.methods) > MOST_NAMED and len(seeds) == 1:
        units = {f: n for f, n in units.items() if not f.startswith("seeds of ")}
        units["seeds of each method"] = seeds.pop()
    counts = listed([f"{count} {factor}" for factor, count in units.items()])
    return f"Data: {judgement.about['data']}. Judged on {counts}."
