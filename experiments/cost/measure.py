"""The cost of one method on one network: counted, compiled and, where there is time and memory, timed."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from be_jax import Ensemble, count_parameters, methods
from be_jax.config import TrainConfig
from be_jax.cost import Memory, Seconds, compiled, count, free_memory, timed
from be_jax.keys import Purpose, key_for
from be_jax.train import Trainer, make_trainer
from experiments.cost.subjects import Network, built, ensemble_of

SGD = TrainConfig(optimizer="sgd", learning_rate=0.05, weight_decay=5e-4)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How costs are measured.

    Attributes:
      members: m.
      batch: examples of a prediction, and for each member those of a step.
      times: whether programs are run and timed, or only counted and compiled.
      rounds: calls that are timed.
      at_most_s: seconds after which no further round of a program begins.
    """

    members: int = 4
    batch: int = 128
    times: bool = True
    rounds: int = 20
    at_most_s: float = 20.0


@dataclasses.dataclass(frozen=True)
class Program:
    """A prediction or a training step.

    Attributes:
      flops, bytes_accessed: see `be_jax.cost.Count`.
      temporaries: bytes that it needs beside arguments and results, as compiled for this device.
      compile_s: seconds of tracing, lowering and compiling; None where nothing is timed.
      seconds: of one call.
    """

    flops: float
    bytes_accessed: float
    temporaries: int
    compile_s: float | None = None
    seconds: Seconds | None = None


@dataclasses.dataclass(frozen=True)
class Costs:
    """Of one method on one network.

    Attributes:
      network, method, dtype: what it is.
      parameters: trained numbers, over all members.
      variable_bytes: of parameters and statistics, as kept for predictions.
      checkpoint_bytes: of the arrays in a checkpoint of a training run: what is trained, its optimiser (momentum), and
        the weights to keep.
      prediction: of `batch` examples, by all members.
      step: of training: gradients, optimiser and statistics, of `batch` examples for each member.
      latency: seconds of the prediction of one example; None where nothing is timed.
      note: why something was not timed.
    """

    network: str
    method: str
    dtype: str
    parameters: int
    variable_bytes: int
    checkpoint_bytes: int
    prediction: Program
    step: Program
    latency: Seconds | None = None
    note: str = ""


def costs(name: str, network: Network, method: methods.Method, dtype: str, settings: Settings) -> Costs:
    """Measures one method on one network.

    Raises:
      ValueError: the method does not fit the network, or the network has not this dtype.
    """
    ensemble = ensemble_of(method, built(network, dtype), settings.members, network.input_shape)
    return measured(ensemble, (name, method.name, dtype), network.input_shape, method.trained_with(SGD), settings)


def measured(
    ensemble: Ensemble,
    names: tuple[str, str, str],
    input_shape: tuple[int, ...],
    train: TrainConfig,
    settings: Settings,
) -> Costs:
    """The same of an ensemble that is built already; `names` are of its network, method and dtype."""
    subject = _Subject(ensemble, input_shape, settings, train)
    predict, step = subject.prediction(), subject.training_step()
    record = Costs(
        *names,
        parameters=count_parameters(subject.state.kept),
        variable_bytes=_bytes(subject.state.kept),
        checkpoint_bytes=_bytes(subject.state),
        prediction=predict.counted(),
        step=step.counted(),
    )
    return record if not settings.times else _timed(record, subject, predict, step, settings)


def _timed(record: Costs, subject: "_Subject", predict: "_Run", step: "_Run", settings: Settings) -> Costs:
    """The same with seconds, of what fits into memory."""
    needed, free = max(predict.memory.total, step.memory.total), free_memory(jax.local_devices()[0])
    if free is not None and needed > free:
        return dataclasses.replace(record, note=f"not timed: needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} are free")
    one = subject.prediction(batch=1)
    seconds = partial(timed, rounds=settings.rounds, at_most_s=settings.at_most_s)
    try:
        initial = jax.block_until_ready(jax.jit(subject.trainer.init)(jnp.uint32(0), _noise(1, subject.input_shape)))
        variables = initial.kept
        return dataclasses.replace(
            record,
            prediction=dataclasses.replace(record.prediction, seconds=seconds(predict.repeat(variables))),
            latency=seconds(one.repeat(variables)),
            step=dataclasses.replace(record.step, seconds=seconds(step.repeat(initial.train))),
        )
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return dataclasses.replace(record, note=f"not timed: memory ran out ({needed / 1e9:.1f} GB were foreseen)")


class _Run:
    """A program for data in memory, as a function of its variables or state alone.

    Args:
      function: `function(state, *data)`.
      state: shapes.
      data: arrays.
      goes_on: whether it returns the next state first, over the memory of the last.
      times: whether the seconds of compilation are kept.
    """

    def __init__(self, function: Callable[..., Any], state: Any, data: Any, goes_on: bool, times: bool) -> None:
        self._count = count(function, state, *data)
        self._program = compiled(function, state, *data, donate=(0,) if goes_on else ())
        self._data, self._goes_on, self._times = jax.device_put(data), goes_on, times

    @property
    def memory(self) -> Memory:
        return self._program.memory

    def counted(self) -> Program:
        seconds = self._program.seconds if self._times else None
        return Program(*self._count, self.memory.temporaries, seconds)

    def repeat(self, state: Any) -> Callable[[], Any]:
        """One call after the other; a program that goes on begins with `state`, which it uses up."""

        def call() -> Any:
            nonlocal state
            result = self._program.call(state, *self._data)
            if self._goes_on:
                state = result[0]
            return result

        return call


class _Subject:
    """An ensemble with the programs that are measured, and the shapes of its state."""

    def __init__(
        self, ensemble: Ensemble, input_shape: tuple[int, ...], settings: Settings, train: TrainConfig = SGD
    ) -> None:
        self.input_shape, self._ensemble, self._settings = input_shape, ensemble, settings
        config = dataclasses.replace(train, batch_size=settings.batch)
        self.trainer: Trainer = make_trainer(ensemble, config, settings.batch, lambda x: x)
        self.state = jax.eval_shape(self.trainer.init, jnp.uint32(0), _noise(1, input_shape))

    def prediction(self, batch: int | None = None) -> _Run:
        def predict(variables: Any, x: jax.Array) -> jax.Array:
            return self._ensemble.predict(variables, x, key_for(jnp.uint32(0), Purpose.PREDICT))

        data = (_noise(batch or self._settings.batch, self.input_shape),)
        return _Run(predict, self.state.kept, data, False, self._settings.times)

    def training_step(self) -> _Run:
        def step(state: Any, x: jax.Array, labels: jax.Array, rows: jax.Array) -> Any:
            return self.trainer.step(jnp.uint32(0), jnp.int32(0), state, x, labels, rows)

        rows = jnp.arange(self._settings.batch)
        data = (_noise(len(rows), self.input_shape), jnp.zeros_like(rows), rows)
        return _Run(step, self.state.train, data, True, self._settings.times)


def _noise(batch: int, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.normal(jax.random.key(0), (batch, *shape))


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
