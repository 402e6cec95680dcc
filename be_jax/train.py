"""Training as pure functions: a step, an epoch as one `scan`, and early stopping on a validation split.

Nothing here knows how many devices there are: `axis_name` names the mapped axis over which each batch is split, and
`be_jax.parallel` decides what it runs on. Images are kept on the device and gathered there; no step touches the host.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from be_jax.batches import epoch_order, masked_sum, shard_of
from be_jax.config import TrainConfig
from be_jax.ensemble import Ensemble, Variables
from be_jax.keys import Purpose, key_for
from be_jax.likelihood import CATEGORICAL, Likelihood
from be_jax.optim import ends_of_cycles, make_optimizer
from be_jax.repulsion import repulsion
from be_jax.steps import State, create_state

RUNNING, STOPPED, DIVERGED = 0, 1, 2

Preprocess = Callable[[jax.Array], jax.Array]
Augment = Callable[[jax.Array, jax.Array], jax.Array]
"""One stored image: `(key, image [h, w, ch]) -> image`, of the same shape and type."""


class Padded(NamedTuple):
    """Examples in equal chunks: images `[chunks, b, ...]`, labels and mask `[chunks, b]`, mask False where padded."""

    images: jax.Array | np.ndarray
    labels: jax.Array | np.ndarray
    mask: jax.Array | np.ndarray


class RunState(NamedTuple):
    """One run of one seed: what is being trained, the weights to keep, and whether to go on.

    `kept` are the variables of the last epoch, or those of the lowest validation loss (`TrainConfig.keep`), of epoch
    `kept_epoch`; of snapshots, `[m, ...]`, those of the last epoch of each cycle.

    `status` is RUNNING, STOPPED (no improvement for `patience` epochs) or DIVERGED (the loss was not finite at step
    `diverged_step`, or the validation loss after so many steps). A run that is not RUNNING, or has trained all its
    epochs, no longer changes. `best_loss` is the validation NLL of the mixture, in nats.
    """

    train: State
    kept: Any
    kept_epoch: jax.Array
    best_loss: jax.Array
    stale_from_loss: jax.Array
    stale_epochs: jax.Array
    epoch: jax.Array
    status: jax.Array
    diverged_step: jax.Array


class Fit(NamedTuple):
    """How well a set is fitted, in prediction mode: by each member alone, NLL in nats and accuracy, both `[m]`; and the
    NLL that training makes small, of the mean member or of the mixture (`TrainConfig.loss`), a scalar.
    """

    nll: jax.Array
    accuracy: jax.Array
    minimised: jax.Array


class EpochMetrics(NamedTuple):
    """Scalars of one epoch: mean training loss per member, validation NLL (nats) and accuracy of the mixture."""

    train_loss: jax.Array
    validation_nll: jax.Array
    validation_accuracy: jax.Array


class Trainer(NamedTuple):
    """The pure functions of a run: `init(seed, images, trained=None)` (`trained` as in `Ensemble.init`), `epoch(seed,
    state, images, labels, validation)`, the step that an epoch scans over, `step(seed, step_index, state, images,
    labels, rows) -> (state, loss)`, and
    `fit(seed, state, data) -> Fit`, which says of a set, such as the training set without augmentation, how well
    members have learned it.

    `images [n, ...]` and `labels [n]` are the whole training set, of which a step sees `rows` (see `epoch_order`). An
    epoch is `order(seed, epoch)`, the rows of its steps, then the steps, then `close(seed, state, train, losses,
    validation)`, which takes what they have trained and the loss of each.
    """

    init: Callable[..., RunState]
    step: Callable[
        [jax.Array, jax.Array, State, jax.Array, jax.Array, jax.Array],
        tuple[State, jax.Array],
    ]
    epoch: Callable[[jax.Array, RunState, jax.Array, jax.Array, Padded], tuple[RunState, EpochMetrics]]
    fit: Callable[[jax.Array, RunState, Padded], Fit]
    order: Callable[[jax.Array, jax.Array], jax.Array]
    close: Callable[[jax.Array, RunState, State, jax.Array, Padded], tuple[RunState, EpochMetrics]]


def make_trainer(
    ensemble: Ensemble,
    config: TrainConfig,
    num_examples: int,
    preprocess: Preprocess,
    axis_name: str | None = None,
    augment: Augment | None = None,
    likelihood: Likelihood = CATEGORICAL,
    steps_per_epoch: int | None = None,
) -> Trainer:
    """The initial state of a run, its step, and its epoch as one program: a scan over steps, then validation.

    Args:
      ensemble: what to train.
      config: the protocol.
      num_examples: number of training examples.
      preprocess: maps stored images `[b, ...]` to the model's input; runs inside the compiled step.
      axis_name: mapped axis over which batches are split, or None.
      augment: of a training image, inside the compiled step; its key depends on the seed, the step and the image's
        place in the global batch.
      likelihood: what the outputs say of the labels: classes, or real numbers (`be_jax.likelihood.GAUSSIAN`).
      steps_per_epoch: of which an epoch is made; as many as the examples fill where not given, and at most these.

    Raises:
      ValueError: the examples do not fill `steps_per_epoch` batches, or there is repulsion without classes; by the
        step, repulsion between inputs that are not real numbers.
    """
    cycles = ensemble.cycles
    ensemble = ensemble.trainee.split_over(axis_name)
    filled = num_examples // config.batch_size
    steps = filled if steps_per_epoch is None else steps_per_epoch
    if not 1 <= steps <= filled:
        fill = f"{num_examples} examples fill {filled} batches of {config.batch_size}"
        raise ValueError(f"an epoch of {steps} steps: {fill}")
    if config.repulsion and likelihood is not CATEGORICAL:
        raise ValueError(f"repulsion={config.repulsion} is between class probabilities, which this likelihood has not")
    optimizer = make_optimizer(config, steps, cycles)
    members = ensemble.train_members

    def init(seed: jax.Array, images: jax.Array, trained: Variables | None = None) -> RunState:
        train = create_state(ensemble, optimizer, key_for(seed, Purpose.INIT), preprocess(images), trained)
        infinity, zero = jnp.float32(jnp.inf), jnp.int32(0)
        kept = train.variables
        if cycles:
            kept = jax.tree.map(lambda a: jnp.broadcast_to(a, (cycles, *a.shape)), kept)
        return RunState(train, kept, zero, infinity, infinity, zero, zero, jnp.int32(RUNNING), jnp.int32(-1))

    def loss(weights: Any, statistics: Any, x: jax.Array, labels: jax.Array, key: jax.Array) -> tuple[jax.Array, Any]:
        outputs, updates = ensemble.apply(
            {**weights, **statistics},
            x,
            train=True,
            key=key,
            x_per_member=config.batch_mode != "repeat",
            mutable=list(statistics),
        )
        outputs = outputs.astype(jnp.float32)
        mean = total = likelihood.member_nll(outputs, jnp.broadcast_to(labels, outputs.shape[:-1])).mean()
        if config.loss == "mixture":
            total = likelihood.ensemble_nll(outputs, labels).mean()
        if config.repulsion:
            if config.repulsion_at == "midpoints":
                outputs = at_midpoints(weights, statistics, x, key)
            total += config.repulsion * repulsion(jax.nn.log_softmax(outputs), axis_name)
        return members * total, (mean, {**statistics, **updates})

    def at_midpoints(weights: Any, statistics: Any, x: jax.Array, key: jax.Array) -> jax.Array:
        if not jnp.issubdtype(x.dtype, jnp.floating):
            raise ValueError(f"repulsion_at='midpoints' is between inputs that are real numbers; these are {x.dtype}")
        between = x.reshape(-1, 2, *x.shape[1:]).mean(1)
        variables = {**weights, **statistics}
        outputs, _ = ensemble.apply(variables, between, train=True, key=key, mutable=list(statistics))
        return outputs.astype(jnp.float32)  # type: ignore[no-any-return]

    def augmented(key: jax.Array, images: jax.Array, places: jax.Array) -> jax.Array:
        if augment is None:
            return images
        flat = images.reshape(-1, *images.shape[places.ndim :])
        keys = jax.vmap(partial(jax.random.fold_in, key))(places.reshape(-1))
        return jax.vmap(augment)(keys, flat).reshape(images.shape)

    def step(
        seed: jax.Array, step_index: jax.Array, state: State, images: jax.Array, labels: jax.Array, rows: jax.Array
    ) -> tuple[State, jax.Array]:
        places = shard_of(jnp.arange(rows.size).reshape(rows.shape), axis_name)
        rows = shard_of(rows, axis_name)
        x = preprocess(augmented(key_for(seed, Purpose.AUGMENT, step_index), images[rows], places))
        key = key_for(seed, Purpose.DROPOUT, step_index)
        grads, (member_loss, statistics) = jax.grad(loss, has_aux=True)(
            state.weights, state.statistics, x, labels[rows], key
        )
        if axis_name is not None:
            grads, member_loss = jax.lax.pmean((grads, member_loss), axis_name)
        if config.gradient_rule == "mean_over_users":
            grads = ensemble.mean_over_users(grads)
        elif config.gradient_rule == "mean":
            grads = jax.tree.map(lambda g: g / members, grads)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.weights)
        return State(optax.apply_updates(state.weights, updates), statistics, opt_state), member_loss

    def order(seed: jax.Array, epoch: jax.Array) -> jax.Array:
        return epoch_order(key_for(seed, Purpose.ORDER, epoch), num_examples, steps, members, config)

    def train_epoch(
        seed: jax.Array, epoch: jax.Array, state: State, images: jax.Array, labels: jax.Array
    ) -> tuple[State, jax.Array]:
        def body(state: State, slot: tuple[jax.Array, jax.Array]) -> tuple[State, jax.Array]:
            index, rows = slot
            return step(seed, epoch * steps + index, state, images, labels, rows)

        return jax.lax.scan(body, state, (jnp.arange(steps), order(seed, epoch)))

    def mean_over(
        data: Padded, seed: jax.Array, epoch: jax.Array, state: State, score: Callable[[jax.Array, jax.Array], Any]
    ) -> Any:
        """Means over a set of the arrays `[..., b]` that `score(outputs [m, b, o], labels [b])` gives."""
        chunks = data.labels.shape[0]

        def body(slot: tuple[jax.Array, Padded]) -> Any:
            index, chunk = slot
            images, labels, mask = jax.tree.map(lambda a: shard_of(a, axis_name, axis=0), chunk)
            key = key_for(seed, Purpose.VALIDATE, epoch * chunks + index) if ensemble.samples_at_prediction else None
            outputs = ensemble.apply(state.variables, preprocess(images), key=key).astype(jnp.float32)
            return jax.tree.map(lambda a: masked_sum(a, mask), score(outputs, labels)), mask.sum()

        sums, count = jax.tree.map(lambda a: a.sum(0), jax.lax.map(body, (jnp.arange(chunks), data)))
        if axis_name is not None:
            sums, count = jax.lax.psum((sums, count), axis_name)
        return jax.tree.map(lambda a: a / count, sums)

    def of_mixture(outputs: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        return likelihood.ensemble_nll(outputs, labels), likelihood.accuracy(outputs, labels)

    def of_members(outputs: jax.Array, labels: jax.Array) -> Fit:
        nll = likelihood.member_nll(outputs, jnp.broadcast_to(labels, outputs.shape[:2]))
        minimised = likelihood.ensemble_nll(outputs, labels) if config.loss == "mixture" else nll.mean(0)
        return Fit(nll, jax.vmap(lambda one: likelihood.accuracy(one[None], labels))(outputs), minimised)

    def fit(seed: jax.Array, run: RunState, data: Padded) -> Fit:
        return mean_over(data, seed, run.epoch, run.train, of_members)  # type: ignore[no-any-return]

    def epoch(
        seed: jax.Array, run: RunState, images: jax.Array, labels: jax.Array, validation: Padded
    ) -> tuple[RunState, EpochMetrics]:
        return close(seed, run, *train_epoch(seed, run.epoch, run.train, images, labels), validation)

    def close(
        seed: jax.Array, run: RunState, state: State, losses: jax.Array, validation: Padded
    ) -> tuple[RunState, EpochMetrics]:
        validation_nll, validation_accuracy = mean_over(validation, seed, run.epoch, state, of_mixture)
        after = _after_epoch(run, state, losses, validation_nll, config, cycles)
        running = is_running(run, config)
        after = jax.tree.map(lambda new, old: jnp.where(running, new, old), after, run)
        return after, EpochMetrics(losses.mean(), validation_nll, validation_accuracy)

    return Trainer(init, step, epoch, fit, order, close)


def is_running(run: RunState, config: TrainConfig) -> jax.Array:
    """Whether this run still changes."""
    return (run.status == RUNNING) & (run.epoch < config.epochs)


def _after_epoch(
    run: RunState, state: State, losses: jax.Array, validation_nll: jax.Array, config: TrainConfig, cycles: int
) -> RunState:
    """Which weights to keep, and whether to stop early: an improvement of less than `min_delta` is none."""
    better = validation_nll < run.best_loss
    keep = better if config.keep == "best" else jnp.bool_(True)
    improved = validation_nll < run.stale_from_loss - config.min_delta
    stale_epochs = jnp.where(improved, 0, run.stale_epochs + 1)
    exhausted = (stale_epochs >= config.patience) if config.patience else jnp.bool_(False)

    def kept(new: jax.Array, old: jax.Array) -> jax.Array:
        if not cycles:
            return jnp.where(keep, new, old)
        # The network is the member of this cycle, and of those to come.
        still = run.epoch < jnp.array(ends_of_cycles(config.epochs, cycles))
        return jnp.where(still.reshape(-1, *(1,) * new.ndim), new[None], old)

    steps = losses.shape[0]
    finite = jnp.append(jnp.isfinite(losses), jnp.isfinite(validation_nll))
    diverged = ~finite.all()
    return RunState(
        train=state,
        kept=jax.tree.map(kept, state.variables, run.kept),
        kept_epoch=jnp.where(keep, run.epoch, run.kept_epoch),
        best_loss=jnp.where(better, validation_nll, run.best_loss),
        stale_from_loss=jnp.where(improved, validation_nll, run.stale_from_loss),
        stale_epochs=stale_epochs,
        epoch=run.epoch + 1,
        status=jnp.where(diverged, DIVERGED, jnp.where(exhausted, STOPPED, RUNNING)),
        diverged_step=jnp.where(diverged, run.epoch * steps + jnp.argmin(finite), -1),
    )
