"""Is this cheap ensemble an ensemble, or a single model that costs more?

`batch_ensemble(model, members)` and its peers lift any flax module, written for one member, into an `Ensemble`;
`be_jax.metrics` measures its predictions, log-probabilities in nats `[m, b, c]`.
"""

from typing import TYPE_CHECKING

from be_jax._lazy import lazy

if TYPE_CHECKING:
    from be_jax import metrics
    from be_jax.construct import (
        batch_ensemble,
        deep_ensemble,
        full_rank,
        last_layer,
        lora_ensemble,
        masksembles,
        mc_dropout,
        norm_ensemble,
        single,
        snapshot,
    )
    from be_jax.ensemble import Ensemble
    from be_jax.nn import fast_init, models, rank1
    from be_jax.steps import count_parameters, create_state, train_only, train_step

__all__ = [
    "Ensemble",
    "batch_ensemble",
    "count_parameters",
    "create_state",
    "deep_ensemble",
    "fast_init",
    "full_rank",
    "last_layer",
    "lora_ensemble",
    "masksembles",
    "mc_dropout",
    "metrics",
    "models",
    "norm_ensemble",
    "rank1",
    "single",
    "snapshot",
    "train_only",
    "train_step",
]
__version__ = "0.1.0"

__getattr__, __dir__ = lazy(
    __name__,
    {
        "construct": (
            "batch_ensemble",
            "deep_ensemble",
            "full_rank",
            "last_layer",
            "lora_ensemble",
            "masksembles",
            "mc_dropout",
            "norm_ensemble",
            "single",
            "snapshot",
        ),
        "ensemble": ("Ensemble",),
        "metrics": (),
        "nn.fast_init": (),
        "nn.models": (),
        "nn.rank1": (),
        "steps": ("count_parameters", "create_state", "train_only", "train_step"),
    },
)
