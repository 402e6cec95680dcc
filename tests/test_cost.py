"""Operations as counted by hand, loops included; memory by hand; and a wider network that computes as much."""

import itertools

import jax
import jax.numpy as jnp
import pytest

from be_jax import batch_ensemble, deep_ensemble, single
from be_jax.cost import as_costly, compiled, count, forward_flops, free_memory, matmul_rate, timed
from be_jax.nn.models import MLP, cifar_resnet


def mlp(width):
    return MLP(features=(4 * width, 2 * width, width))


def macs(width):
    sizes = (784, 4 * width, 2 * width, width, 10)
    return sum(i * o for i, o in itertools.pairwise(sizes))


def test_flops_of_an_mlp_by_hand():
    """Two operations for each product and sum, and a few for bias and ReLU."""
    assert forward_flops(mlp(16), (28, 28, 1)) == pytest.approx(2 * macs(16), rel=0.02)


@pytest.mark.parametrize("times", [1, 4])
def test_the_nearest_width_is_found(times):
    found = as_costly(mlp, 16, times, (28, 28, 1))
    width = found.features[-1]
    assert width == min(range(1, 100), key=lambda w: abs(macs(w) - times * macs(16)))


def test_a_residual_network_of_four_times_the_cost_is_twice_as_wide():
    found = as_costly(lambda width: cifar_resnet(8, width), 16, 4.0, (32, 32, 3))
    assert 30 <= found.widths[0] <= 33


def test_less_than_once_is_refused():
    with pytest.raises(ValueError, match=r"at least 1; got 0\.5"):
        as_costly(mlp, 16, 0.5, (28, 28, 1))


SQUARE = jax.ShapeDtypeStruct((64, 64), jnp.float32)
PRODUCT = 2 * 64**3


def rounds_of(length, step):
    return lambda a: jax.lax.scan(lambda carry, _: (step(carry, a), None), a, None, length)[0]


def test_a_loop_counts_as_often_as_it_runs():
    once = rounds_of(3, jnp.matmul)
    nested = rounds_of(5, lambda carry, a: jnp.matmul(once(carry), a))
    assert count(once, SQUARE).flops == pytest.approx(3 * PRODUCT, rel=1e-3)
    assert count(nested, SQUARE).flops == pytest.approx(5 * (3 + 1) * PRODUCT, rel=1e-3)
    assert count(nested, SQUARE).bytes_accessed == pytest.approx(20 * count(jnp.matmul, SQUARE, SQUARE)[1], rel=0.1)


def test_members_in_turn_count_like_members_at_once():
    """A deep ensemble of convolutions runs its members in a loop, a BatchEnsemble all at once: four times one."""
    x = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    model = cifar_resnet(8, 8)

    def flops(ensemble):
        return count(ensemble.predict, jax.eval_shape(ensemble.init, jax.random.key(0), x), x).flops

    one = flops(single(model))
    assert flops(deep_ensemble(model, 4)) == pytest.approx(4 * one, rel=0.01)
    assert flops(batch_ensemble(model, 4)) == pytest.approx(4 * one, rel=0.1)


def test_memory_by_hand():
    program = compiled(lambda a, b: a + b, SQUARE, SQUARE, donate=(0,))
    assert (program.memory.arguments, program.memory.outputs) == (2 * 4 * 64**2, 0)
    assert program.memory.total == program.memory.arguments + program.memory.temporaries
    assert compiled(lambda a, b: a + b, SQUARE, SQUARE).memory.outputs == 4 * 64**2
    assert program.seconds > 0


def test_a_compiled_program_is_called():
    ones = jnp.ones((64, 64))
    assert (compiled(jnp.matmul, SQUARE, SQUARE).call(ones, ones) == 64).all()


def test_seconds_are_of_the_rounds_alone():
    calls = []
    seconds = timed(lambda: calls.append(None), rounds=5, warm_up=3)
    assert len(calls) == 8
    assert seconds.rounds == 5
    assert 0 <= seconds.fastest <= seconds.median <= seconds.slowest


def test_rounds_end_when_their_time_is_over():
    calls = []
    assert timed(lambda: calls.append(None), rounds=5, at_most_s=0, warm_up=3).rounds == 1
    assert len(calls) == 2
    with pytest.raises(ValueError, match="at least 1; got 0"):
        timed(lambda: None, rounds=0)


def test_a_rate_is_operations_by_seconds():
    assert 1e6 < matmul_rate(size=64, rounds=3) < 1e15


def test_free_memory_of_the_host():
    assert 1e6 < free_memory(jax.devices("cpu")[0]) < 1e15
