"""What can be varied in the zoo, on the data of either study, and its presets."""

import dataclasses
import importlib
from typing import Any, ClassVar, Literal

from be_jax.config import ConfigError, check
from be_jax.methods import TABLE, Method
from be_jax.stats.equivalent import FEWEST_NETWORKS
from experiments import cifar10_config, mnist
from experiments.common import check_chosen
from experiments.zoo_methods import DENSE_LAYERS, MANY, VARIANTS

METHODS = (
    *("single", "copies", "single_wide", "mc_dropout", "batch_ensemble", "batch_ensemble_sign", "lora_ensemble"),
    *("last_layer", "masksembles", "full_rank", "packed", "snapshot"),
)
RATES_ON_CIFAR10 = {"last_layer": 0.2} | dict.fromkeys(
    ("masksembles", "packed", "snapshot", "norm_ensemble", "tabm", "tabm_held", "last_layers"), 0.1
)
"""Beside those of its study, chosen by `experiments.learning_rates`; of `tabm_held` that of what it is a control of."""
RATES_ON_MNIST = {
    **dict.fromkeys(("single", "mc_dropout", "full_rank", "masksembles"), 0.002),
    **dict.fromkeys(("lora_ensemble", "packed", "snapshot", "tabm", "tabm_held"), 0.004),
    "rank_4_held": 0.008,
    "batch_ensemble_sign": 0.016,
}
"""Of an MLP on all of it, chosen likewise; others have 0.001."""
OF_CONVOLUTIONS = (*(name for name in METHODS if f"{name}_dense" not in VARIANTS), "norm_ensemble")
"""Of the methods that are of dense layers the zoo has variants for dense layers alone."""


@dataclasses.dataclass(frozen=True)
class Zoo:
    """What can be varied beside the study itself.

    Attributes:
      variants: BatchEnsembles beside those of `methods`.
      method: methods of your own, `module:name` each.
      rounds: of each timing; 0 counts and times nothing.
    """

    methods: tuple[str, ...] = METHODS
    variants: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    rounds: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()  # type: ignore[misc]  # of the study's own configuration
        needed = max(self.members + 1, FEWEST_NETWORKS)  # type: ignore[attr-defined]
        pool: int = self.pool_size  # type: ignore[attr-defined]
        check(pool >= needed, "pool_size", pool, f"at least {needed}: deep ensembles to set worth against")
        check({"single", "copies"} <= set(self.methods), "methods", self.methods, "with 'single' and 'copies'")
        if self.variants:
            check_chosen("variants", self.variants, tuple(VARIANTS))
        check(self.rounds >= 0, "rounds", self.rounds, "an integer >= 0")

    @property
    def rows(self) -> dict[str, Method]:
        """Every method by name."""
        rows = [TABLE[name] for name in self.methods] + [VARIANTS[name] for name in self.variants] + self.users
        return {row.name: row for row in rows}

    @property
    def users(self) -> list[Method]:
        """The user's own."""
        return [users_method(where) for where in self.method]

    @property
    def known(self) -> tuple[str, ...]:
        """See `ImageStudyConfig.known`."""
        return (*TABLE, *VARIANTS, *(row.name for row in self.users))


NOT_PART = ("variants", "method", "rounds")
"""Fields that do not determine the numbers of a run."""


@dataclasses.dataclass(frozen=True)
class Config(Zoo, mnist.Config):
    """The MNIST study's, with more methods."""

    study: ClassVar[str] = "zoo"

    preset: Literal["embedded", "full", "lenet"] = "embedded"  # type: ignore[assignment]
    variants: tuple[str, ...] = tuple(name for name, row in VARIANTS.items() if row not in DENSE_LAYERS)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.model in ("mlp", "lenet"), "model", self.model, "'mlp' or 'lenet'")

    @property
    def name(self) -> str:
        """Of its record."""
        return "zoo" + "_full" * (self.data == "tfds") + "_lenet" * (self.model == "lenet")


@dataclasses.dataclass(frozen=True)
class Cifar10(Zoo, cifar10_config.Config):
    """The CIFAR-10 study's, with more methods."""

    study: ClassVar[str] = "zoo"
    name: ClassVar[str] = "zoo_cifar10"

    preset: Literal["cifar10"] = "cifar10"  # type: ignore[assignment]
    variants: tuple[str, ...] = ("tabm", "tabm_held", "last_layers", "adapted")


def users_method(where: str) -> Method:
    """The method at `module:name`.

    Raises:
      ConfigError: there is none.
    """
    module, _, name = where.partition(":")
    try:
        row = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"method must be module:name, such as my_module:my_method; {where!r}: {error}") from error
    if not isinstance(row, Method):
        raise ConfigError(f"method {where!r} must be a be_jax.methods.Method; got {type(row).__name__}")
    return row


def _of(zoo: Any, study: Any, **own: Any) -> Any:
    """A study's preset as a zoo's."""
    return zoo(**{field.name: getattr(study, field.name) for field in dataclasses.fields(study)} | own)


def _of_presets() -> dict[str, Config | Cifar10]:
    embedded = _of(Config, mnist.PRESETS["embedded"], methods=METHODS)
    of_few = tuple(name for name in Config.variants if not name.endswith(f"_{MANY}"))
    all_images = dataclasses.replace(embedded, preset="full", data="tfds", variants=of_few)
    full = dataclasses.replace(all_images, learning_rates=RATES_ON_MNIST)
    of_cifar = {
        "preset": "cifar10",
        "methods": OF_CONVOLUTIONS,
        "seeds": cifar10_config.CPU.seeds[:3],
        "more_seeds": {"batch_ensemble": 2, "batch_ensemble_sign": 2, "tabm": 1, "tabm_held": 1},
        "learning_rates": {**cifar10_config.CPU.learning_rates, **RATES_ON_CIFAR10},
    }
    convolutions = {
        "preset": "lenet",
        "model": "lenet",
        "methods": OF_CONVOLUTIONS,
        "variants": ("tabm", "tabm_held", "last_layers", "adapted", *(row.name for row in DENSE_LAYERS)),
        "seeds": all_images.seeds[:3],
        "pool_size": 12,
        "train": dataclasses.replace(all_images.train, epochs=5, milestones=(2, 4)),
        "corruptions": ("shot_noise", "glass_blur", "rotate", "fog"),
        "severities": (3,),
    }
    lenet = dataclasses.replace(all_images, **convolutions)  # type: ignore[arg-type]
    cifar = _of(Cifar10, cifar10_config.CPU, **of_cifar)
    return {"embedded": embedded, "full": full, "lenet": lenet, "cifar10": cifar}


PRESETS = _of_presets()
"""On all of MNIST with the pool and the seeds of the embedded study, and without ensembles of 16: hours as it is. LeNet
there with 12 networks, 3 seeds, 5 epochs (of 430 steps, about as many steps in all as 75 epochs of the embedded images
take) and 4 corruptions: hours too."""
