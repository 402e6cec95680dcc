"""Is this cheap ensemble an ensemble, or a single model that costs more?

`single`, `mc_dropout`, `batch_ensemble` and `deep_ensemble` lift a flax module written for one member into an
`Ensemble`; `be_jax.metrics` measures its predictions, log-probabilities in nats `[m, b, c]`.
"""

from typing import TYPE_CHECKING

from be_jax._lazy import lazy

if TYPE_CHECKING:
    from be_jax import fast_init, metrics, models, rank1
    from be_jax.ensemble import Ensemble, batch_ensemble, count_parameters, deep_ensemble, mc_dropout, single
    from be_jax.layers import PLAIN, Layers

__all__ = [
    "PLAIN",
    "Ensemble",
    "Layers",
    "batch_ensemble",
    "count_parameters",
    "deep_ensemble",
    "fast_init",
    "mc_dropout",
    "metrics",
    "models",
    "rank1",
    "single",
]
__version__ = "0.1.0"

__getattr__, __dir__ = lazy(
    __name__,
    {
        "ensemble": ("Ensemble", "batch_ensemble", "count_parameters", "deep_ensemble", "mc_dropout", "single"),
        "layers": ("PLAIN", "Layers"),
        **dict.fromkeys(("fast_init", "metrics", "models", "rank1"), ()),
    },
)
