"""Globs over the paths of a model's layers, such as `Dense_3`, `head/*` and `encoder/**`."""

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

Globs = tuple[str, ...]


def as_globs(globs: str | Iterable[str]) -> Globs:
    """One glob or several, as a tuple.

    Raises:
      ValueError: something that is no text.
    """
    chosen = (globs,) if isinstance(globs, str) else tuple(globs)
    if not all(isinstance(glob, str) for glob in chosen):
        raise ValueError(f"globs are texts such as 'Dense_3', 'head/*' or 'encoder/**'; got {globs!r}")
    return chosen


def matches(path: str, glob: str) -> bool:
    """Whether a path matches: `*` and `?` stay between two slashes, `**` does not."""
    return _pattern(glob).fullmatch(path) is not None


def matches_any(path: str, globs: Globs) -> bool:
    """Whether one of the globs matches."""
    return any(matches(path, glob) for glob in globs)


def first_match(path: str, by_glob: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Any:
    """The value of the first glob that matches, or None."""
    pairs = by_glob.items() if isinstance(by_glob, Mapping) else by_glob
    return next((value for glob, value in pairs if matches(path, glob)), None)


@functools.cache
def _pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts))
