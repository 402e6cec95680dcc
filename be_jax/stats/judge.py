"""Samples to a judgement: rows, claims, controls, equivalents. Where the scores come from is not asked here."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from be_jax.stats import controls
from be_jax.stats.claims import Decision, Verdict, judge_claim, withheld
from be_jax.stats.config import ROOT, Endpoint, JudgeConfig
from be_jax.stats.controls import Control
from be_jax.stats.equivalent import SCALES, equivalents
from be_jax.stats.judgement import Judgement, MethodJudgement
from be_jax.stats.rows import Row, diversity_row, gain_row
from be_jax.stats.sample import Sample

FURTHER_GAINS = (
    "nll",
    "nll_scaled",
    "accuracy",
    "brier",
    "ece",
    "auroc_max_probability",
    "crps",
    "crps_scaled",
    "rmse",
)
FURTHER_DIVERSITY = (f"{ROOT}epistemic", f"{ROOT}pairwise_js", "disagreement", "spread_of_means")

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def silently(items: Iterable[Any], _: str) -> Iterable[Any]:
    """No progress shown."""
    return items


@dataclasses.dataclass(frozen=True)
class Samples:
    """What a judgement rests on.

    Attributes:
      methods: to judge.
      single: single networks.
      deep_ensemble: deep ensembles. Made of the same pool as `single` where their factors have one name.
      references: names of those methods that are reference rows: other single networks, such as a wider one.
      copies: ensembles of identical members, the negative control.
      positive: the positive control.
      weights: of some methods, and of deep ensembles, samples with scores of the set `PARAMETERS`.
      at_start: `{method: {endpoint: score before training}}`, for what has one.
      curve: deep ensembles by size, see `size_curve`.
      undertrained: `{method: why}` of methods that are not to be judged.
      scales: scores by which equivalents are given.
      copies_apart: how `copies` were trained otherwise than single networks; empty where they were not.
    """

    methods: Mapping[str, Sample]
    single: Sample
    deep_ensemble: Sample
    references: frozenset[str] = frozenset()
    copies: Sample | None = None
    positive: Control | None = None
    weights: Mapping[str, tuple[Sample, Sample]] = dataclasses.field(default_factory=dict)
    at_start: Mapping[str, Mapping[tuple[str, str], float]] = dataclasses.field(default_factory=dict)
    curve: Mapping[int, Sample] = dataclasses.field(default_factory=dict)
    undertrained: Mapping[str, str] = dataclasses.field(default_factory=dict)
    scales: Sequence[Endpoint] = SCALES
    copies_apart: str = ""


def judge(
    samples: Samples,
    config: JudgeConfig | None = None,
    about: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    progress: Progress = silently,
) -> Judgement:
    """Judges every method.

    Where `single` has no score of the primary endpoint at a temperature, raw scores are judged, and a note says so.

    Args:
      samples: what is compared.
      config: level, margin, endpoints.
      about: kept in the judgement.
      notes: kept in the judgement.
      progress: shows the methods as they are done.

    Raises:
      ValueError: no method; samples that share a factor but not its units; or an endpoint that the registry has not.
    """
    if not samples.methods:
        raise ValueError("there is no method to judge")
    wanted, notes = config or JudgeConfig(), list(notes)
    config = wanted.as_measured(samples.single.has)
    if config != wanted:
        notes.append("No set `validation` was predicted: raw scores are judged, with no temperature.")
    for name, sample in samples.methods.items():
        _check_units(name, sample, samples.single, samples.deep_ensemble)
    references = (samples.copies, samples.single, samples.deep_ensemble)
    checked = (
        controls.negative(*references, config, samples.copies_apart),
        samples.positive or Control(controls.POSITIVE, 1.0, reason="there is no pool of networks"),
    )
    if checked[0].passed and (told := controls.elsewhere(*references, config)):
        notes.append(told)
    judged = [_judged(name, samples, checked, config) for name in progress(samples.methods, "judging")]
    return Judgement(about or {}, config, checked, tuple(judged), tuple(notes))


def _judged(name: str, samples: Samples, checked: Sequence[Control], config: JudgeConfig) -> MethodJudgement:
    own, single, deep = samples.methods[name], samples.single, samples.deep_ensemble
    at_start = samples.at_start.get(name, {})
    quality = [gain_row(endpoint, own, single, deep, config) for endpoint in config.quality]

    def differ(endpoints: Iterable[Endpoint], method: Sample, of: Sample) -> list[Row]:
        return [diversity_row(each, method, of, config, at_start.get(each, float("nan"))) for each in endpoints]

    has_members = name not in samples.references
    functions = differ(config.functions, own, deep) if has_members else []
    of_weights = differ(config.weights, *samples.weights[name]) if name in samples.weights else []
    verdicts: list[Verdict] = [
        judge_claim("C1", quality, config),
        judge_claim("C2", quality, config),
        judge_claim("C3", functions, config, "one network has no members to compare"),
        judge_claim("C4", of_weights, config, _why_no_weights(name, samples)),
    ]
    if kept := _kept_back(name, samples, checked):
        verdicts = [withheld(verdict, *kept) for verdict in verdicts]
    asked = {row.endpoint for row in (*quality, *functions, *of_weights)}
    further = [each for each in _further(own, single, deep) if each not in asked]
    more = [gain_row(each, own, single, deep, config) for each in further if each.metric in FURTHER_GAINS]
    if has_members:
        more += differ((each for each in further if each.metric in FURTHER_DIVERSITY), own, deep)
    if name in samples.weights:
        method, of = samples.weights[name]
        more += differ((each for each in map(_endpoint, method.scores[0]) if each not in asked), method, of)
    return MethodJudgement(
        name,
        "reference" if name in samples.references else "method",
        (*quality, *functions, *of_weights, *more),
        tuple(verdicts),
        equivalents(own, samples.curve, samples.scales) if samples.curve else {},
        {sample.factor: sample.units for sample in (own, single, deep)},
    )


def _why_no_weights(name: str, samples: Samples) -> str:
    if name in samples.references:
        return "one network has no members to compare"
    return "its members have no weights of their own to compare" if samples.weights else "weights were not measured"


def _kept_back(name: str, samples: Samples, checked: Sequence[Control]) -> tuple[Decision, str] | None:
    """Why nothing is said of a method, whatever its rows show."""
    failed = [f"{control.name}: {control.reason}" for control in checked if control.passed is False]
    if failed:
        return "control failed", "; ".join(failed)
    if name in samples.undertrained:
        return "undertrained", samples.undertrained[name]
    return None


def _further(*samples: Sample) -> Iterator[Endpoint]:
    """Gains and diversities that all samples have, sets in their order."""
    sets = dict.fromkeys(set_name for set_name, _ in samples[0].scores[0])
    for set_name in (name for name in sets if name in ("test", "shift") or name.startswith("ood/")):
        for metric in (*FURTHER_GAINS, *FURTHER_DIVERSITY):
            if all(sample.has(set_name, metric) for sample in samples):
                yield Endpoint(set_name, metric)


def _endpoint(place: tuple[str, str]) -> Endpoint:
    return Endpoint(*place)


def _check_units(name: str, *samples: Sample) -> None:
    units: dict[str, int] = {}
    for sample in samples:
        if units.setdefault(sample.factor, sample.units) != sample.units:
            raise ValueError(
                f"{name} is compared with samples of {units[sample.factor]} and of {sample.units} {sample.factor}, "
                "which cannot be paired; list the same ones, or give one of the samples another factor name"
            )
