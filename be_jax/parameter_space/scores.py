"""Everything about members' weights as one dictionary of scalars for a run."""

from functools import partial

import jax

from be_jax.ensemble import Ensemble, Variables
from be_jax.parameter_space.barrier import barriers
from be_jax.parameter_space.similarity import kernel_similarity, representation_similarity


@partial(jax.jit, static_argnums=0)
def score_parameters(ensemble: Ensemble, variables: Variables, x: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
    """Diversity of an ensemble of any method in parameter space, means over the pairs of its members.

    `kernel_cosine`, `kernel_distance`, both once more with `_to_mean`, and `cka` are means over the layers with a
    kernel, and stand for each of these as `<name>/<layer>`. `loss_barrier` (nats) and `accuracy_barrier` are of the
    whole network. For copies of one network cosines and CKA are 1, all else is 0.

    Args:
      ensemble: of any method, with two members or more.
      variables: its variables.
      x: inputs `[b, ...]`, about a thousand.
      labels: `[b]`.
    """
    kernels = kernel_similarity(ensemble, variables)
    by_layer = {
        f"kernel_{name}": {layer: getattr(similarity, name) for layer, similarity in kernels.items()}
        for name in ("cosine", "distance", "cosine_to_mean", "distance_to_mean")
    }
    by_layer["cka"] = representation_similarity(ensemble, variables, x)
    scores = {name: sum(values.values()) / len(values) for name, values in by_layer.items()}
    scores |= {f"{name}/{layer}": value for name, values in by_layer.items() for layer, value in values.items()}
    barrier = barriers(ensemble, variables, x, labels)
    return {**scores, "loss_barrier": barrier.loss.mean(), "accuracy_barrier": barrier.accuracy.mean()}
