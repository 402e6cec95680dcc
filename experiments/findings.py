"""The page of findings: what the studies say of the project's own question, and what the literature says, tested."""

from pathlib import Path

from experiments.literature import CLAIMS, Claim, verdict
from experiments.small_report import table

HEAD = (
    "Generated from the results in this folder. Each finding has its interval of 95 %, the page with its figure and "
    "command, and what would overturn it. Scales: 0 % is a single network, 100 % a deep ensemble of networks trained "
    "apart; NLL is temperature-scaled. What is worth most of many has the largest estimate, which flatters it."
)
RULE = (
    "A claim is supported, or contradicted, where the whole interval of a measurement is where the claim has it, or "
    "outside; mixed where measurements differ. A claim of two parts takes evidence for both. Measurements are not "
    "corrected for their number; they are over seeds, networks and test examples unless they say otherwise. Seeds and "
    "networks that it would take are a rough reckoning from the present estimate, for all measurements to be decided "
    "with 80 % power."
)


def to_markdown(own: list[tuple[str, str]], folder: Path) -> str:
    """The page.

    Args:
      own: sentences on the project's own question, each with the page that it is from.
      folder: of the results.
    """
    said = "\n".join(f"- {sentence} ([{page}]({page}.md))" for sentence, page in own)
    heads = ["claim", "measured", "verdict", "from", "what would overturn it"]
    rows = [_row(claim, folder) for claim in CLAIMS]
    parts = ["# Findings", HEAD, "## Is a cheap ensemble an ensemble?", said, OVERTURNED]
    return "\n\n".join([*parts, "## What the literature says, tested here", RULE, table(heads, rows).strip()]) + "\n"


OVERTURNED = (
    "What would overturn these: a learning rate chosen for each method, which these studies do not have; larger "
    "networks and harder data; another start of the fast weights."
)


def _row(claim: Claim, folder: Path) -> list[str]:
    evidence = list(claim.evidence(folder))
    measured = "<br>".join(f"{each.where}: {each.shown}" for each in evidence) or "–"
    source = f"[{claim.source}](https://arxiv.org/abs/{claim.source})"
    there = [page for page in claim.pages if (folder / f"{page}.json").exists()]
    page = ", ".join(f"[{page}]({page}.md)" for page in there) if evidence else "–"
    return [f"{claim.words} ({source})", measured, verdict(evidence), page, claim.overturned_by]
