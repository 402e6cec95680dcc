"""Flax models as users write them: nothing of ours is imported here, and no two are built alike."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Compact(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Dense(6)(x)))
        return nn.Dense(3)(nn.Dropout(0.2)(x, deterministic=not train))


class Setup(nn.Module):
    """One layer is called twice."""

    def setup(self):
        self.first, self.body, self.norm = nn.Dense(5), nn.Dense(5), nn.LayerNorm()
        self.head = nn.Dense(3)

    def __call__(self, x, *, train=False):
        return self.head(self.norm(self.body(nn.tanh(self.body(self.first(x))))))


class Remat(nn.Module):
    """Layers, and a whole block, that are computed again in the backward pass."""

    @nn.compact
    def __call__(self, x):
        x = nn.remat(Compact, static_argnums=(2,))(name="block")(x, False)
        return nn.remat(nn.Dense)(3)(nn.relu(nn.remat(nn.Dense)(4, name="again")(x)))


class Transformer(nn.Module):
    """A patch embedding, a class token and positions as parameters of its own, attention of several axes."""

    @nn.compact
    def __call__(self, x, train: bool = True):
        x = nn.Conv(8, (4, 4), strides=(4, 4), padding="VALID", name="embedding")(x).reshape(x.shape[0], -1, 8)
        x = x + self.param("pos_embedding", nn.initializers.normal(0.02), (1, x.shape[1], 8))
        y = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(2, dropout_rate=0.1, deterministic=not train)(y, y)
        y = nn.Dense(8)(nn.gelu(nn.Dense(16)(nn.LayerNorm()(x))))
        return nn.Dense(3, kernel_init=nn.initializers.normal(1.0), name="head")((x + y).mean(1))


class StdConv(nn.Conv):
    """A weight-standardised convolution."""

    def param(self, name, *args, **kwargs):
        value = super().param(name, *args, **kwargs)
        if name == "kernel":
            value = nn.standardize(value, (0, 1, 2))
        return value


class Standardised(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.GroupNorm(2)(StdConv(4, (3, 3), strides=2)(x)))
        return nn.Dense(3)(x.mean((1, 2)))


class ActivatedDense(nn.Dense):
    """A subclass that does more than its base."""

    def __call__(self, inputs):
        return nn.relu(super().__call__(inputs)) + 1


class Exotic(nn.Module):
    """Grouped, dilated, circular, strided and transposed convolutions; without biases, and with."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3), padding="CIRCULAR")(x))
        x = nn.relu(nn.Conv(8, (3, 3), feature_group_count=2, kernel_dilation=2)(x))
        x = nn.relu(nn.Conv(8, (2, 3), strides=(2, 1), padding=((0, 1), (1, 0)), feature_group_count=8)(x))
        x = nn.relu(nn.ConvTranspose(4, (2, 2), strides=(2, 2), use_bias=False)(x))
        x = nn.relu(nn.Conv(3, (1, 1), padding="VALID")(x)).reshape(x.shape[0], -1, 3)
        x = nn.RMSNorm()(nn.Conv(5, 3, padding="CAUSAL")(x))
        return ActivatedDense(3)(x.mean(1))


class Axes(nn.Module):
    """`nn.DenseGeneral` to several axes and from several axes."""

    @nn.compact
    def __call__(self, x):
        x = nn.tanh(nn.DenseGeneral((2, 3))(x))
        x = nn.tanh(nn.DenseGeneral((3, 2), axis=(-2, -1))(x))
        return nn.DenseGeneral(3, axis=(1, 2))(x)


class Tokens(nn.Module):
    """An embedding that is also the output layer."""

    @nn.compact
    def __call__(self, tokens):
        embed = nn.Embed(7, 4)
        return embed.attend(nn.Dense(4)(embed(tokens).mean(1)))


class Recurrent(nn.Module):
    @nn.compact
    def __call__(self, x, deterministic=True):
        x = nn.RNN(nn.GRUCell(5))(x)
        x = nn.Dropout(0.3, deterministic=deterministic)(
            nn.Bidirectional(nn.RNN(nn.LSTMCell(3)), nn.RNN(nn.GRUCell(3)))(x)
        )
        return nn.Dense(3)(x[:, -1])


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return x + nn.tanh(nn.Dense(x.shape[-1])(nn.LayerNorm()(x))), None


class Scanned(nn.Module):
    """Three blocks as one scan over their parameters."""

    collections: tuple[str, ...] = ("params", "fast")

    @nn.compact
    def __call__(self, x):
        axes, rngs = dict.fromkeys(self.collections, 0), dict.fromkeys(self.collections, True)
        x, _ = nn.scan(Block, variable_axes=axes, split_rngs=rngs, length=3)()(x, None)
        return nn.Dense(3)(x)


class KeywordOnly(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(3)(nn.Dropout(0.5)(nn.relu(nn.Dense(8)(x)), deterministic=not train))


class Deterministic(nn.Module):
    @nn.compact
    def __call__(self, x, deterministic):
        return nn.Dense(3)(nn.Dropout(0.5)(nn.relu(nn.Dense(8)(x)), deterministic=deterministic))


SEQUENTIAL = nn.Sequential([nn.Dense(5), nn.relu, nn.LayerNorm(), nn.Dense(4), nn.tanh, nn.Dense(3)])

_KEY = jax.random.key(7)
_FLAT, _IMAGES = jax.random.normal(_KEY, (4, 6)), jax.random.normal(_KEY, (4, 8, 8, 4))
_SERIES, _TOKENS = jax.random.normal(_KEY, (4, 5, 3)), jnp.arange(20).reshape(4, 5) % 7

MODELS = {
    "compact": (Compact(), _FLAT),
    "setup": (Setup(), _FLAT),
    "sequential": (SEQUENTIAL, _FLAT),
    "remat": (Remat(), _FLAT),
    "transformer": (Transformer(), _IMAGES),
    "standardised": (Standardised(), _IMAGES),
    "exotic": (Exotic(), _IMAGES),
    "axes": (Axes(), _FLAT),
    "tokens": (Tokens(), _TOKENS),
    "recurrent": (Recurrent(), _SERIES),
    "scanned": (Scanned(), _FLAT),
    "keyword only": (KeywordOnly(), _FLAT),
    "deterministic": (Deterministic(), _FLAT),
}
"""Each model, and an input to it."""
