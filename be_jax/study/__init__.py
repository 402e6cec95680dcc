"""A study: what an experiment describes, and the library trains, predicts, scores and records."""

from be_jax.provenance import environment, provenance
from be_jax.study.study import Execution, Study, run_study
from be_jax.study.training import Planned, kept_weights

__all__ = [
    "Execution",
    "Planned",
    "Study",
    "environment",
    "kept_weights",
    "provenance",
    "run_study",
]
