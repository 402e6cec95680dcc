"""Modules of flax.nnx as a user writes them: nothing of ours is imported."""

import jax
import jax.numpy as jnp
from flax import nnx

KEY = jax.random.key(0)
B, M = 6, 3


class MLP(nnx.Module):
    """A list of layers."""

    def __init__(self, rngs):
        self.hidden = nnx.List([nnx.Linear(20, 16, rngs=rngs), nnx.Linear(16, 16, rngs=rngs)])
        self.head = nnx.Linear(16, 5, rngs=rngs)

    def __call__(self, x):
        for layer in self.hidden:
            x = nnx.relu(layer(x))
        return self.head(x)


class CNN(nnx.Module):
    """Convolutions, batch normalisation, dropout."""

    def __init__(self, rngs, rate=0.3):
        self.conv1 = nnx.Conv(2, 6, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.BatchNorm(6, momentum=0.9, rngs=rngs)
        self.conv2 = nnx.Conv(6, 8, (3, 3), padding="VALID", use_bias=False, rngs=rngs)
        self.dropout = nnx.Dropout(rate, rngs=rngs)
        self.head = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.conv1(x)))
        x = nnx.relu(self.conv2(x)).mean((1, 2))
        return self.head(self.dropout(x))


class Attention(nnx.Module):
    """Linear layers of several axes, layer normalisation, an array that is no variable, an argument for the mode."""

    def __init__(self, rngs, rate=0.2):
        self.places = nnx.data(jnp.arange(28, dtype=jnp.float32).reshape(1, 7, 4) / 28)
        self.embed = nnx.LinearGeneral(4, (2, 4), rngs=rngs)
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, dropout_rate=rate, decode=False, rngs=rngs)
        self.head = nnx.LinearGeneral((7, 8), 5, axis=(-2, -1), rngs=rngs)

    def __call__(self, x, deterministic=True):
        x = self.embed(x + self.places).reshape(-1, 7, 8)
        return self.head(x + self.attention(self.norm(x), deterministic=deterministic))


class Block(nnx.Module):
    """One of several that are scanned."""

    def __init__(self, rngs):
        self.linear = nnx.Linear(8, 8, rngs=rngs)

    def __call__(self, x):
        return x + jnp.tanh(self.linear(x))


class Scaled(nnx.Linear):
    """A user's own layer, around flax's."""

    def __call__(self, x):
        return 2 * super().__call__(x / 2)


class Scanned(nnx.Module):
    """Four blocks as one scan, and another block under remat."""

    def __init__(self, rngs):
        self.stem = Scaled(20, 8, rngs=rngs)
        self.blocks = nnx.vmap(Block, in_axes=0)(rngs.split(4))
        self.last = Block(rngs)
        self.head = nnx.Linear(8, 5, rngs=rngs)

    def __call__(self, x):
        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def through(x, block):
            return block(x)

        x = through(self.stem(x), self.blocks)
        return self.head(nnx.remat(lambda block, x: block(x))(self.last, x))


INPUTS = {MLP: (20,), CNN: (9, 9, 2), Attention: (7, 4), Scanned: (20,)}
MODELS = list(INPUTS)


def inputs(model, batch=B):
    return jax.random.normal(jax.random.key(1), (batch, *INPUTS[model]))


def plain(model, seed=0):
    """The module of the user, and what it computes in evaluation."""
    module = model(nnx.Rngs(seed))
    evaluated = nnx.clone(module)
    evaluated.eval()
    return module, evaluated(inputs(model))
