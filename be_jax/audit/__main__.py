"""Audits an ensemble from files of its predictions: one sentence, tables, verdicts on C1 to C4, and a page.

    python -m be_jax.audit predictions.npz
    python -m be_jax.audit seed_0.npz seed_1.npz seed_2.npz --pool networks.npz
    python -m be_jax.audit be_*.npz --single single_*.npz --deep-ensemble deep_*.npz --name "my ensemble"

A file is one run: `test/log_probs` (or `logits`, or `probs`) `[members, examples, classes]` and `test/labels`; or, of a
regression, `test/mean` and `test/variance` `[members, examples]` and `test/targets`. Also of `validation`,
`shift/<corruption>_<severity>` and `ood/<name>`, where they were predicted. Several files are seeds.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Literal

from be_jax.command_line import run_main
from be_jax.config import ConfigError
from be_jax.stats import JudgeConfig

try:
    import tyro
except ModuleNotFoundError as error:
    sys.exit(f"error: {error}; the audit needs its extra: pip install 'be-jax[audit]'")


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    files: predictions of the ensemble to audit, one file for each seed.
    single: predictions of single networks, one file each.
    deep_ensemble: predictions of deep ensembles of as many members, one file each.
    pool: instead of those two, files whose members are independent networks; more of these than the ensemble has.
    name: what to call the ensemble.
    out: folder for `report.html`, `audit.json`, `results.json` and, with references, `verdicts.json`.
    format: "text", or "json" for scripts: one object on the standard output, and nothing else.
    judge: level and margins.
    """

    files: tyro.conf.Positional[tuple[Path, ...]]
    single: tuple[Path, ...] = ()
    deep_ensemble: tuple[Path, ...] = ()
    pool: tuple[Path, ...] = ()
    name: str = "audited ensemble"
    out: Path = Path("audit")
    format: Literal["text", "json"] = "text"
    judge: JudgeConfig = dataclasses.field(default_factory=JudgeConfig)


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    # Only now, so that a mistake in the command is told at once.
    from rich.console import Console

    from be_jax.audit import AuditError, References, audit, print_audit, read_predictions, write_audit
    from be_jax.provenance import provenance
    from be_jax.report.terminal import print_plain

    console = Console(stderr=config.format == "json")
    try:
        with console.status("reading, scoring and judging; with a pool of many networks this takes minutes"):
            runs, *groups = (
                [read_predictions(path) for path in paths]
                for paths in (config.files, config.single, config.deep_ensemble, config.pool)
            )
            references = References(*groups)
            found = audit(runs, references, config.name, config.judge)
    except AuditError as error:
        sys.exit(f"error: {error}")
    if config.format == "json":
        print(json.dumps(found.record), flush=True)
    else:
        print_audit(found, console)
    page = write_audit(found, runs, references, config.out, provenance("be_jax.audit"))
    print_plain(f"\nreport: {page}", console)


if __name__ == "__main__":
    run_main(main, ConfigError, interrupted="interrupted: nothing was judged; what was there before is as it was")
