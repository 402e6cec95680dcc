"""Models for one member. None has an ensemble axis: `be_jax.ensemble` adds it."""

from be_jax.nn.models.lenet import LeNet
from be_jax.nn.models.mlp import MLP
from be_jax.nn.models.resnet import ResNet, ResNet18, cifar_resnet
from be_jax.nn.models.wide_resnet import WideResNet, WideResNet28x10

__all__ = ["MLP", "LeNet", "ResNet", "ResNet18", "WideResNet", "WideResNet28x10", "cifar_resnet"]
