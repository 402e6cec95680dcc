"""Running an experiment as a command: its errors in one line, and an interrupt that loses nothing.

if __name__ == "__main__":
    run(main)
"""

from collections.abc import Callable

from be_jax.checkpoint import CheckpointError
from be_jax.command_line import run_main
from be_jax.config import ConfigError
from be_jax.data import DataUnavailableError
from be_jax.runs import RunError

GOES_ON = "interrupted: the same command goes on from the last checkpoint"

NOTHING_KEPT = "interrupted: nothing was saved"


def run(main: Callable[[], None], *errors: type[Exception], interrupted: str = GOES_ON) -> None:
    """Runs `main`: what is the user's to mend ends in `error: ...` and status 1, Ctrl-C in a message and status 130.

    Args:
      main: the experiment.
      errors: more that are the user's to mend, such as ValueError where an experiment only reads.
      interrupted: what to say on Ctrl-C.
    """
    run_main(main, ConfigError, DataUnavailableError, RunError, CheckpointError, *errors, interrupted=interrupted)
