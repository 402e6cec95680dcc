"""What is compared of an ensemble in the course of its training."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from be_jax import Ensemble, metrics
from be_jax.data import StudyData
from be_jax.ensemble import Variables
from be_jax.keys import Purpose, key_for
from be_jax.parameter_space import kernel_similarity
from experiments import mnist

Score = Callable[[Variables], Mapping[str, jax.Array]]
"""Of the variables of all runs, `[s, ...]`: scores by name, `[s]`."""


def scorer(ensemble: Ensemble, seeds: tuple[int, ...], data: StudyData, count: int) -> Score:
    """Scores of runs of an ensemble: how good its members are, alone and together, and how far apart."""
    (ood,) = data.ood.values()
    x, out = (mnist.preprocess(jnp.asarray(images[:count])) for images in (data.test.images, ood))
    labels = jnp.asarray(data.test.labels[:count])

    @jax.jit
    @jax.vmap
    def score(variables: Variables, seed: jax.Array) -> dict[str, jax.Array]:
        key = key_for(seed, Purpose.PREDICT)
        test, far = (ensemble.predict(variables, each, key=key) for each in (x, out))
        scores = {
            "test nll": metrics.nll(metrics.mixture(test), labels).mean(),
            "test nll alone": jax.vmap(lambda one: metrics.nll(one, labels))(test).mean(),
        }
        for name, log_probs in (("test", test), ("ood", far)):
            scores[f"{name} epistemic"] = metrics.decompose(log_probs).epistemic.mean()
            scores[f"{name} disagreement"] = metrics.disagreement(log_probs).mean()
        if ensemble.per_member:
            layers = kernel_similarity(ensemble, variables).values()
            scores["kernel_distance"] = jnp.stack([layer.distance for layer in layers]).mean()
        return scores

    numbers = jnp.asarray(seeds, jnp.uint32)
    return lambda variables: score(variables, numbers)
