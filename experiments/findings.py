"""The page of findings: what the studies say of the project's own question, and what the literature says, tested."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.evidence import Evidence
from experiments.literature import CLAIMS, Claim, verdict
from experiments.small_report import table

HEAD = (
    "Generated from the results in this folder. Findings have intervals of 95 %, and stand below the study that they "
    "are from, whose page has the figures and the command; what would overturn them stands below all. Scales: 0 % is "
    "a single network, 100 % a deep ensemble of networks trained apart; NLL is temperature-scaled."
)
RULE = (
    "A measurement speaks for a claim if its whole interval lies where the claim has it, against it if the whole "
    "interval lies outside, and leaves it open otherwise. A claim is supported where some speak for it and none "
    "against it, contradicted where it is the other way about, and mixed where they differ. A claim of two parts "
    "needs support for both, and is contradicted where either is. Endpoints count that come after a study's first "
    "open one, which the study itself does not claim. Measurements are not corrected for their number; they are over "
    "seeds, networks and test examples unless they say otherwise. What it would take to decide is a rough reckoning "
    "from the present estimates, at 80 % power."
)


def to_markdown(own: Mapping[str, Sequence[str]], folder: Path) -> str:
    """The page.

    Args:
      own: sentences on the project's own question, by the page (as a link) that they are from.
      folder: of the results.
    """
    said = [f"{page}:\n\n" + "\n".join(f"- {each}" for each in of_page) for page, of_page in own.items() if of_page]
    evidence = {claim: list(claim.evidence(folder)) for claim in CLAIMS}
    tested = {claim: found for claim, found in evidence.items() if found}
    lacking = [f"{claim.words} ({_source(claim)})" for claim, found in evidence.items() if not found]
    verdicts = [[f"{claim.words} ({_source(claim)})", verdict(found)] for claim, found in tested.items()]
    parts = ["# Findings", HEAD, "## Is a cheap ensemble an ensemble?", *said, OVERTURNED]
    parts += ["## What the literature says, tested here", RULE, table(["claim", "verdict"], verdicts).strip()]
    parts += [f"Not tested yet: {'; '.join(lacking)}."] if lacking else []
    parts += [_section(claim, found, folder) for claim, found in tested.items()]
    return "\n\n".join(parts) + "\n"


OVERTURNED = (
    "What would overturn these: a learning rate chosen for each method, which a study has only where its page tells "
    "of them, and for its whole schedule: on all of MNIST TabM's start is better than the same held where both learn "
    "at 0.001, and worse at 0.004; larger networks and harder data; another start of the fast weights. On MNIST "
    "members drop units of their own, as in the published study: a shared kernel then steps by the mean over masks, "
    "with less noise than a single network's. Worth above a line is uncorrected for the number of methods, endpoints "
    "and costs."
)


def _section(claim: Claim, evidence: list[Evidence], folder: Path) -> str:
    """A claim with its measurements, each with what it says of it."""
    pages = ", ".join(f"[{page}]({page}.md)" for page in claim.pages if (folder / f"{page}.json").exists())
    words = f"**{verdict(evidence)}**. From {pages}. What would overturn it: {claim.overturned_by}."
    parts = any(each.part for each in evidence)
    rows = [[each.where, each.shown, each.says, *([each.part] if parts else [])] for each in evidence]
    heads = ["measured", "found", "speaks", *(["of the part"] if parts else [])]
    return f"### {claim.words} ({_source(claim)})\n\n{words}\n\n{table(heads, rows).strip()}"


def _source(claim: Claim) -> str:
    return f"[{claim.source}](https://arxiv.org/abs/{claim.source})"
