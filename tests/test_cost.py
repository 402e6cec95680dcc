"""Operations as counted by hand, and a wider network that computes as much."""

import itertools

import pytest

from be_jax.cost import as_costly, forward_flops
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
