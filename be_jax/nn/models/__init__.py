"""Models for one member: plain flax modules without an axis of members, which `be_jax.ensemble` adds."""

from be_jax.nn.models.gru import GRU
from be_jax.nn.models.lenet import LeNet
from be_jax.nn.models.mlp import MLP
from be_jax.nn.models.resnet import ResNet, ResNet18, cifar_resnet
from be_jax.nn.models.vit import ViT
from be_jax.nn.models.wide_resnet import WideResNet, WideResNet28x10
from be_jax.nn.models.widen import widen

__all__ = [
    "GRU",
    "MLP",
    "LeNet",
    "ResNet",
    "ResNet18",
    "ViT",
    "WideResNet",
    "WideResNet28x10",
    "cifar_resnet",
    "widen",
]
