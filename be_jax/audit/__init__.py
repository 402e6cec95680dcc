"""Anyone's ensemble, judged from its predictions alone: no training, no framework.

    from pathlib import Path
    from be_jax.audit import References, audit, print_audit, read_predictions

    runs, networks = ([read_predictions(Path(name))] for name in ("predictions.npz", "networks.npz"))
    print_audit(audit(runs, References(pool=networks)))

`checked` does for arrays in memory what `read_predictions` does for a file. `python -m be_jax.audit --help` is the same
on a command line, and README.md beside this file shows how to save predictions from PyTorch, Keras and JAX.
"""

from typing import TYPE_CHECKING

from be_jax._lazy import lazy

if TYPE_CHECKING:
    from be_jax.audit.alone import score_test_members
    from be_jax.audit.arrays import AuditError, checked, read_predictions
    from be_jax.audit.compared import References
    from be_jax.audit.report import Audit, audit, print_audit, write_audit

__all__ = [
    "Audit",
    "AuditError",
    "References",
    "audit",
    "checked",
    "print_audit",
    "read_predictions",
    "score_test_members",
    "write_audit",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "alone": ("score_test_members",),
        "arrays": ("AuditError", "checked", "read_predictions"),
        "compared": ("References",),
        "report": ("Audit", "audit", "print_audit", "write_audit"),
    },
)
