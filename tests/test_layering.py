"""The tree's ranks: a file imports only lower ranks or its own; heavy packages stay behind the files that need them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "be_jax"

RANKS = [
    ("_lazy", "command_line", "files", "identity", "npz", "provenance", "metrics", "config", "keys"),
    ("nn", "ensemble", "construct", "methods", "cost"),
    ("batches", "likelihood", "steps", "optim", "repulsion", "train", "parallel", "epochs"),
    (
        *("scores", "checkpoint", "runs", "results", "data", "evaluate", "fit", "pool", "parameter_space"),
        *("stats", "study", "report"),
    ),
    ("audit", "judge", "run", "export"),
]
RANK_OF = {name: rank for rank, names in enumerate(RANKS) for name in names}
ALLOWED = {
    0: {"jax", "numpy", "chex", "scipy"},  # scipy: inside functions that fit on the host
    1: {"jax", "numpy", "chex", "flax"},
    2: {"jax", "numpy", "chex", "flax", "optax"},
}
ONLY_IN = {
    "orbax": ("checkpoint",),
    "tensorflow_datasets": ("data/tfds",),
    "tensorflow": ("data/tfds",),
    "matplotlib": ("report/",),
    "jax.pmap": ("parallel",),
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_lower_ranks_only(path):
    rank = RANK_OF[module_of(path)]
    for name in imports(path):
        parts = name.split(".")
        assert parts[0] != "experiments"
        if name == "be_jax":
            continue  # the package, whose names are imported when they are asked for
        if parts[0] == "be_jax":
            assert len(parts) == 1 or RANK_OF[parts[1]] <= rank, f"{path.name} (rank {rank}) imports {name}"
        elif rank in ALLOWED and parts[0] not in sys.stdlib_module_names:
            assert parts[0] in ALLOWED[rank], f"{path.name} (rank {rank}) imports {name}"


@pytest.mark.parametrize(("package", "files"), ONLY_IN.items())
def test_a_heavy_package_is_named_in_one_place(package, files):
    for path in FILES:
        where = str(path.relative_to(PACKAGE))
        if not where.startswith(files):
            named = [name for name in imports(path) if name == package or name.startswith(f"{package}.")]
            assert not named, f"{where} imports {named}"
            if package == "jax.pmap":
                assert "pmap(" not in path.read_text(), where


def test_import_is_light():
    heavy = (
        "orbax",
        "tensorflow_datasets",
        "tensorflow",
        "matplotlib",
        "pandas",
        "mlxtend",
        "PIL",
        "tyro",
        "scipy.stats",
    )
    code = f"import sys, be_jax; print([name for name in {heavy} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_every_public_name_is_documented():
    import be_jax

    for module in (be_jax, be_jax.metrics, be_jax.models, be_jax.rank1, be_jax.fast_init):
        assert module.__doc__
        for name in getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")]):
            value = getattr(module, name)
            if getattr(value, "__module__", "").startswith("be_jax") and callable(value):
                assert value.__doc__, f"{module.__name__}.{name}"
