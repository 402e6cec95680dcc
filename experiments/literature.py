"""What the literature says of cheap ensembles, each claim as a row of evidence from what is committed, with a verdict.

A claim says of some measurements that they lie in a region. A piece of evidence supports it where the whole interval
does, contradicts it where the whole interval lies outside, and leaves it open otherwise. A claim of several parts, such
as "harms here and helps there", is right where each part is, and wrong where one is.
"""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.evidence import (
    ABOVE_0,
    AT_LEAST_DEEP,
    BELOW_0,
    BELOW_HALF,
    IDENTICAL,
    OF_BATCH_ENSEMBLE,
    OOD,
    PRIMARY,
    STUDIES,
    ZOOS,
    Evidence,
    Reader,
    all_of,
    alone_and_together,
    at_each_width,
    film,
    in_studies,
    less_batch_ensemble,
    on_tables,
    splits_best,
    wider_is_surer,
)


class Claim(NamedTuple):
    """Words and source of a claim, the evidence of a folder of results, its pages there, and what would overturn it."""

    words: str
    source: str
    evidence: Reader
    pages: tuple[str, ...]
    overturned_by: str


def verdict(evidence: Sequence[Evidence]) -> str:
    """Of a claim, and how many measurements say so; where none does, about the units that it would take."""
    if not any(each.found.pieces for each in evidence):
        return "not tested" if not evidence else "not judged"
    directions = [each.direction for each in evidence]
    of_parts = {each.part: {e.direction for e in evidence if e.part == each.part} for each in evidence}
    count, right, wrong = len(evidence), directions.count(1), directions.count(-1)
    silent = sum(not each.found.pieces for each in evidence)
    told = f"{right or 'none'} of {count} for it, {wrong or 'none'} against{f', {silent} not judged' if silent else ''}"
    if any(-1 in part and 1 not in part for part in of_parts.values()):
        return "contradicted" + (f": {told}" if wrong < count else "")
    if wrong:
        return f"mixed: {told}"
    if right and all(1 in part for part in of_parts.values()):
        return "supported" + (f" by {right} of {count}" if right < count else "")
    if right:
        return f"half open: {told}"
    needed = [(each.needed, each.needed / each.units) for each in evidence if each.needed]
    if not needed:
        return "undecided"
    units, times = max(needed, key=lambda each: each[1])
    return f"undecided: about {units:,} seeds would tell, with {times:.0f} times as many networks and test examples"


CLAIMS = (
    Claim(
        "A BatchEnsemble is nearer to a single model than to a deep ensemble (our reading: less than half of its gain, "
        "worse than a single model included) in accuracy, calibration and out-of-distribution detection",
        "2601.16936",
        all_of(
            in_studies("batch_ensemble", BELOW_HALF, OF_BATCH_ENSEMBLE),
            on_tables("batch_ensemble", BELOW_HALF),
        ),
        (*OF_BATCH_ENSEMBLE, "tabular"),
        "larger networks and harder data; a start of the fast weights, a length of training, and a learning rate by "
        "another score than scaled NLL, chosen for each",
    ),
    Claim(
        "Members of a BatchEnsemble are near-identical (our reading: below 25 % of what independent networks differ) "
        "in function and in parameter space",
        "2601.16936",
        all_of(
            in_studies("batch_ensemble", IDENTICAL, OF_BATCH_ENSEMBLE, "functions", "in function space"),
            in_studies("batch_ensemble", IDENTICAL, OF_BATCH_ENSEMBLE, "weights", "in parameter space"),
        ),
        OF_BATCH_ENSEMBLE,
        "the scale: by mutual information itself, which the study reports, a ratio is the square of that by its root; "
        "another start of the fast weights",
    ),
    Claim(
        "A larger single network replicates a deep ensemble (our reading: of equal cost, at least 75 % of its gain)",
        "2202.06985",
        all_of(in_studies("single_wide", AT_LEAST_DEEP), on_tables("single_wide", AT_LEAST_DEEP)),
        (*STUDIES, "tabular"),
        "a deep ensemble tuned as well as the wider network; networks of equal accuracy, of which its authors speak",
    ),
    Claim(
        "Forcing members apart helps small networks and harms large ones",
        "2302.00704",
        all_of(
            at_each_width("deep_mixture", PRIMARY, ABOVE_0, "small", ("narrowest",)),
            at_each_width("deep_mixture", PRIMARY, BELOW_0, "large", ("widest",)),
        ),
        ("widths",),
        "other terms for diversity than the loss of the mixture; networks far larger than these, and a small one that "
        "can fit its data: the narrowest here has 4 units before its ten classes",
    ),
    Claim(
        "Epistemic uncertainty falls with width",
        "2409.02628",
        wider_is_surer,
        ("widths",),
        "a learning rate, or a length of training, chosen for each width; a narrowest network that fits its data: this "
        "one, with 4 units before its ten classes, is 84 % accurate",
    ),
    Claim(
        "Repulsion between predictions harms at training inputs and helps at others",
        "2412.15758",
        all_of(
            at_each_width("deep_repelled", PRIMARY, BELOW_0, "at images"),
            at_each_width("deep_repelled_between", OOD, ABOVE_0, "between images"),
            at_each_width("deep_repelled_between", PRIMARY, ABOVE_0, "between images"),
        ),
        ("widths",),
        "another weight of the term; inputs that are no images of any class, as its authors use, where these are "
        "midpoints of training images",
    ),
    Claim(
        "Trained on the ensemble's own loss, an ensemble is worse",
        "2301.11323",
        at_each_width("deep_mixture", PRIMARY, BELOW_0),
        ("widths",),
        "early stopping, or more decay of weights, where the ensemble's own loss overfits more",
    ),
    Claim(
        "Scales and offsets of normalisation (FiLM) make a better ensemble than fast weights",
        "2206.00050",
        all_of(film, less_batch_ensemble("norm_ensemble", "normalisations of their own")),
        ("mnist_vit", *ZOOS),
        "a start of either that was chosen for it",
    ),
    Claim(
        "Deep ensembles split aleatoric from epistemic uncertainty best",
        "2408.12175",
        splits_best,
        ("disentanglement",),
        "harder images; other ranges of noise, by which the error of MC dropout moves; a score that sees how much an "
        "uncertainty changes, and not the shape of its curve alone; other draws of noise and images",
    ),
    Claim(
        "Members of TabM are weak alone and strong together",
        "2410.24210",
        alone_and_together,
        ("tabular", *ZOOS),
        "larger tables; networks tuned, and stopped early, as its authors do",
    ),
    Claim(
        "A low rank that is added makes a better ensemble than one that multiplies",
        "2405.14438",
        less_batch_ensemble("lora_ensemble", "LoRA"),
        ZOOS,
        "ranks above 1; a pretrained network, of which its authors speak",
    ),
)
