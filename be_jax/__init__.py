"""Is this cheap ensemble an ensemble, or a single model that costs more?

`single`, `mc_dropout`, `batch_ensemble` and `deep_ensemble` lift a flax module written for one member into an
`Ensemble`; `be_jax.metrics` measures its predictions, log-probabilities in nats `[m, b, c]`.
"""

from be_jax import metrics
from be_jax.ensemble import Ensemble, batch_ensemble, count_parameters, deep_ensemble, mc_dropout, single
from be_jax.layers import PLAIN, Layers
from be_jax.nn import fast_init, models, rank1

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
