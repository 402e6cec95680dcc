"""The other side of a benchmark: a script in a process of its own, under another Python, that is timed on request."""

import contextlib
import subprocess
import time
from pathlib import Path
from typing import Self

REST_S = 0.5
"""After an answer: threads of OpenMP go on to wait for work, busily, and would take a core of whoever is timed next."""


class Peer:
    """A script that reads what to do, a line each, and answers with its seconds.

    Args:
      python: interpreter that has what the script needs.
      script: its path.
      *args: given to it.
    """

    def __init__(self, python: Path, script: Path, *args: str) -> None:
        self._script = script
        self._process = subprocess.Popen(
            [str(python), str(script), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, request: str) -> float:
        """Of what `request` names.

        Raises:
          RuntimeError: the script ended; why, it says on the terminal.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(request, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._script.name} ended early; does that Python have what it imports?")
        time.sleep(REST_S)
        return float(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
