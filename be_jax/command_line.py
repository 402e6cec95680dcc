"""What commands have in common: errors are one line, Ctrl-C ends them at once, and they can write to any terminal."""

import codecs
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable

INTERRUPTED = 130
"""The exit status of a command that was interrupted, as shells have it."""

_WRITTEN = {
    "±": "+/-",
    "−": "-",
    "–": "-",
    "—": "-",
    "•": "*",
    "…": "...",
    "×": "x",
    "²": "2",
    "∞": "inf",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "≈": "~",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "─": "-",
    "│": "|",
    "╭": "+",
    "╮": "+",
    "╰": "+",
    "╯": "+",
}
_ERRORS = "be_jax.plain"


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_WRITTEN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _plain)


def writable(text: str, encoding: str) -> str:
    """The text as this encoding can have it: "±" as "+/-" in ASCII, what has no likeness as "?"."""
    return text.encode(encoding, _ERRORS).decode(encoding)


def run_main(
    main: Callable[[], None],
    *errors: type[Exception],
    interrupted: str = "interrupted: nothing was changed",
) -> None:
    """Runs a command to its end: `error: ...` and status 1 for `errors`, a message and status 130 for Ctrl-C.

    An interrupted process ends at once, without the interpreter's own end: jax's threads may still compute or compile
    then, and would do so in memory that is given back, which is a segmentation fault.

    Args:
      main: the command.
      errors: those that are the user's to mend, beside files that cannot be read or written (OSError) and a platform
        that jax has not got.
      interrupted: what to say on Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # replaced by something that writes elsewhere
            stream.reconfigure(errors=_ERRORS)  # type: ignore[union-attr]
    try:
        main()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(interrupted, file=sys.stderr)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(INTERRUPTED)
    except (OSError, *errors) as error:  # type: ignore[misc]
        sys.exit(f"error: {error}")
    except Exception as error:
        if not _is_of_platform(error):
            raise
        told = (str(error).splitlines() or [type(error).__name__])[0]
        sys.exit(
            f"error: jax cannot use the platform JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')} here: {told}. "
            'Unset it, or install the jax for it, such as pip install "jax[cuda12]"'
        )


def _is_of_platform(error: Exception) -> bool:
    """Whether it was raised where jax looks for devices: a RuntimeError or, for CUDA, an assertion without words."""
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)][-1].endswith("xla_bridge.py")
