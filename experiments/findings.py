"""The page of findings: what the studies say of the project's own question, and what the literature says, tested."""

from pathlib import Path

from experiments.evidence import Evidence
from experiments.literature import CLAIMS, Claim, verdict
from experiments.small_report import table

HEAD = (
    "Generated from the results in this folder. Each finding has its interval of 95 %, the page with its figure and "
    "command, and what would overturn it. Scales: 0 % is a single network, 100 % a deep ensemble of networks trained "
    "apart; NLL is temperature-scaled."
)
RULE = (
    "A claim is supported, or contradicted, where the whole interval of a measurement is where the claim has it, or "
    "outside; mixed where measurements differ. By 3 of 6: three show it, none the contrary, and the rest are open, or "
    "not judged. Endpoints count that come after a study's first open one, which the study itself does not claim. A "
    "claim of two parts takes evidence for both, and is contradicted where one of them is. Measurements are not "
    "corrected for their number; they are over seeds, networks and test examples unless they say otherwise. What it "
    "would take is a rough reckoning from the present estimate, for all measurements to be decided with 80 % power."
)


def to_markdown(own: list[tuple[str, str]], folder: Path) -> str:
    """The page.

    Args:
      own: sentences on the project's own question, each with the page that it is from.
      folder: of the results.
    """
    said = "\n".join(f"- {sentence} ([{page}]({page}.md))" for sentence, page in own)
    heads = ["claim", "measured", "verdict", "from", "what would overturn it"]
    evidence = {claim: list(claim.evidence(folder)) for claim in CLAIMS}
    rows = [_row(claim, found, folder) for claim, found in evidence.items() if found]
    lacking = [f"{claim.words} ({_source(claim)})" for claim, found in evidence.items() if not found]
    parts = ["# Findings", HEAD, "## Is a cheap ensemble an ensemble?", said, OVERTURNED]
    parts += ["## What the literature says, tested here", RULE, table(heads, rows).strip()]
    return "\n\n".join([*parts, *([f"Not tested yet: {'; '.join(lacking)}."] if lacking else [])]) + "\n"


OVERTURNED = (
    "What would overturn these: a learning rate chosen for each method, which the studies of MNIST do not have; larger "
    "networks and harder data; another start of the fast weights. On MNIST members drop units of their own, as in the "
    "published study: a shared kernel then steps by the mean over masks, with less noise than a single network's. "
    "Worth above a line is uncorrected for the number of methods, endpoints and costs."
)


def _row(claim: Claim, evidence: list[Evidence], folder: Path) -> list[str]:
    measured = "<br>".join(f"{each.where}: {each.shown}" for each in evidence)
    pages = ", ".join(f"[{page}]({page}.md)" for page in claim.pages if (folder / f"{page}.json").exists())
    return [f"{claim.words} ({_source(claim)})", measured, verdict(evidence), pages, claim.overturned_by]


def _source(claim: Claim) -> str:
    return f"[{claim.source}](https://arxiv.org/abs/{claim.source})"
