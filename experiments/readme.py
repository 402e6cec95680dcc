"""Writes the generated parts of README.md, between `<!-- name -->` and `<!-- end of name -->`, from results.

python -m experiments.readme     # a second; changes README.md in place
"""

import re
from pathlib import Path

from be_jax.report import answer, markdown_table
from be_jax.results import StudyResult

README = Path(__file__).parent.parent / "README.md"
RESULTS = Path(__file__).parent / "results"


def regenerated(text: str) -> str:
    """The README with every generated part made anew.

    Raises:
      FileNotFoundError: a part is named after no file in `experiments/results`.
    """
    part = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
    return part.sub(lambda match: f"{match[1]}{_section(match[2])}{match[3]}", text)


def _section(name: str) -> str:
    result = StudyResult.load(RESULTS / f"{name}.json")
    command = f"`{result.provenance['command']}`, {result.provenance['date']}, {result.provenance['processor']}"
    sentences = "\n".join(f"- {sentence}" for sentence in answer(result))
    return f"{markdown_table(result).strip()}\n\n{sentences}\n\n{command}, jax {result.provenance['jax']}.\n"


def main() -> None:
    README.write_text(regenerated(README.read_text()))


if __name__ == "__main__":
    main()
