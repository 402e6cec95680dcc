"""How much the members of an ensemble differ in their weights, for every method alike.

Each function takes an `Ensemble` and its variables and looks at the weights that every member uses in effect: a
BatchEnsemble is compared with a deep ensemble as if it were one (`as_deep_ensemble`).
"""

from be_jax.parameter_space.barrier import Barrier, Line, barriers, height_over_chord, line
from be_jax.parameter_space.matching import match, matched_pairs
from be_jax.parameter_space.members import as_deep_ensemble, kernels
from be_jax.parameter_space.scores import score_parameters
from be_jax.parameter_space.similarity import (
    Similarity,
    cosine,
    hidden,
    kernel_similarity,
    linear_cka,
    relative_distance,
    representation_similarity,
)
from be_jax.parameter_space.units import Place, Units, hidden_units, natural_orders, reorder

__all__ = [
    "Barrier",
    "Line",
    "Place",
    "Similarity",
    "Units",
    "as_deep_ensemble",
    "barriers",
    "cosine",
    "height_over_chord",
    "hidden",
    "hidden_units",
    "kernel_similarity",
    "kernels",
    "line",
    "linear_cka",
    "match",
    "matched_pairs",
    "natural_orders",
    "relative_distance",
    "reorder",
    "representation_similarity",
    "score_parameters",
]
