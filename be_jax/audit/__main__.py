"""Audits an ensemble from files of its predictions: tables, verdicts on C1 to C4, and a page.

    python -m be_jax.audit predictions.npz
    python -m be_jax.audit seed_0.npz seed_1.npz seed_2.npz --pool networks.npz
    python -m be_jax.audit be_*.npz --single single_*.npz --deep-ensemble deep_*.npz --name "my ensemble"

A file is one run: `test/log_probs` (or `logits`, or `probs`) `[members, examples, classes]` and `test/labels`, also of
`validation`, `shift/<corruption>_<severity>` and `ood/<name>` where they were predicted. Several files are seeds.
"""

import dataclasses
import shlex
import sys
from datetime import date
from pathlib import Path

import tyro
from rich.console import Console

from be_jax.audit.arrays import AuditError, read_predictions
from be_jax.audit.compared import References
from be_jax.audit.report import audit, print_audit, write_audit
from be_jax.config import ConfigError
from be_jax.stats import JudgeConfig
from be_jax.study import environment


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    files: predictions of the ensemble to audit, one file for each seed.
    single: predictions of single networks, one file each.
    deep_ensemble: predictions of deep ensembles of as many members, one file each.
    pool: instead of those two, files whose members are independent networks; more of these than the ensemble has.
    name: what to call the ensemble.
    out: folder for `report.html`, `results.json` and `verdicts.json`.
    judge: level and margins.
    """

    files: tyro.conf.Positional[tuple[Path, ...]]
    single: tuple[Path, ...] = ()
    deep_ensemble: tuple[Path, ...] = ()
    pool: tuple[Path, ...] = ()
    name: str = "audited ensemble"
    out: Path = Path("audit")
    judge: JudgeConfig = dataclasses.field(default_factory=JudgeConfig)


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    console = Console()
    with console.status("reading, scoring and judging; with a pool of many networks this takes minutes"):
        runs, *groups = (
            [read_predictions(path) for path in paths]
            for paths in (config.files, config.single, config.deep_ensemble, config.pool)
        )
        references = References(*groups)
        found = audit(runs, references, config.name, config.judge)
    command = f"python -m be_jax.audit {shlex.join(sys.argv[1:])}"
    provenance = {"command": command, "date": date.today().isoformat(), **environment()}
    page = write_audit(found, runs, references, config.out, provenance)
    print_audit(found, console)
    console.print(f"\nreport: {page}")


if __name__ == "__main__":
    try:
        main()
    except (AuditError, ConfigError, OSError) as error:
        sys.exit(f"error: {error}")
