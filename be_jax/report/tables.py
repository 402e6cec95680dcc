"""All tables of a report: scores of every set, ratios to the deep ensemble, and what the runs cost."""

from be_jax.report import columns
from be_jax.report.benchmark import corruptions, distance, of_set
from be_jax.report.columns import DASH, Metric, scaled
from be_jax.report.judged_tables import judged_tables
from be_jax.report.methods import divergence, label, runs_of
from be_jax.report.summary import estimate, has_logits, has_temperature, sets_of, summarise
from be_jax.report.table import Cell, Column, Table, row_names, score_column
from be_jax.results import StudyResult
from be_jax.stats import Judgement

OF_LABELLED = (
    columns.ACCURACY,
    columns.NLL,
    columns.ECE,
    columns.MUTUAL_INFORMATION,
    columns.DISAGREEMENT,
    columns.BRIER,
    columns.AURC,
)
OF_OOD = (
    columns.AUROC_EPISTEMIC,
    columns.AUROC_MAX_PROBABILITY,
    columns.AUROC_TOTAL,
    columns.AUROC_ALEATORIC,
    columns.MUTUAL_INFORMATION,
    columns.FPR95_EPISTEMIC,
    columns.DISAGREEMENT,
)
OF_LOGITS = (columns.AUROC_ENERGY, columns.AUROC_MAX_LOGIT)
_SECONDS, _EPOCHS = Metric("seconds", "s per seed", 1, "neither"), Metric("epochs", "epochs", 0, "neither")
_FIT = (
    Metric("train_nll", "training NLL", 4, "lower"),
    Metric("train_accuracy", "training accuracy %", 2, "higher", percent=True),
    Metric("validation_nll", "validation NLL", 3, "lower"),
)


def tables(result: StudyResult, judgement: Judgement | None = None) -> list[Table]:
    """All tables, in reading order: those of the judgement first; none for sets that were not scored."""
    scored = sets_of(result)
    shown = []
    if "test" in scored:
        shown.append(_score_table(result, "test", "Test", OF_LABELLED, seeds_note(result)))
    if "shift" in scored:
        note = f"Mean over all severities of {corruptions(result)}."
        metrics = tuple(of_set(result, "shift", metric) for metric in OF_LABELLED)
        shown.append(_score_table(result, "shift", "Shifted test", metrics, note))
    for name in sets_of(result, "ood/"):
        metrics = (*OF_OOD[:2], *(OF_LOGITS if has_logits(result, name) else ()), *OF_OOD[2:])
        note = (
            "AUROC of telling this set from test by each uncertainty. FPR95: fraction of test taken for this set "
            "where 95 % of it is found, by mutual information."
        )
        shown.append(_score_table(result, name, _ood_title(result, name), metrics, note))
    return [*judged_tables(result, judgement), *shown, *_scaled_tables(result), *fit_tables(result), runs_table(result)]


def fit_tables(result: StudyResult) -> list[Table]:
    """How well each method fits at the end of training, in one table; nothing where no curve was kept."""
    whole = [run for run in result.runs if run.status != "diverged" and run.curve]
    curves = {method: [run.curve for run in whole if run.method == method] for method in result.methods}
    if not any(curves.values()):
        return []
    note = (
        "At the end of training: of members alone on training examples without augmentation and dropout, and of all "
        "together on validation examples. NLL is not temperature-scaled."
    )
    shown = [
        Column(fit.title, tuple(Cell(fit.shown(estimate([c[fit.key][-1] for c in kept]))) for kept in curves.values()))
        for fit in _FIT
    ]
    rates = {run.method: run.learning_rate for run in whole}
    if None not in rates.values():
        cells = tuple(Cell(f"{rates[method]:g}" if method in rates else DASH) for method in curves)
        shown.append(Column("learning rate", cells))
    return [Table("Fit", row_names(result), tuple(shown), note)]


def runs_table(result: StudyResult) -> Table:
    """What each method cost and how its runs ended; times and epochs are of the runs that did not diverge."""
    rows = [_runs_row(result, method) for method in result.methods]
    titles = ("parameters", "s per seed", "runs", "epochs", "kept epoch")
    turned = tuple(Column(title, cells) for title, cells in zip(titles, zip(*rows, strict=True), strict=True))
    diverged = [f"{label(result, m)}: {text}." for m in result.methods if (text := divergence(result, m))]
    note = " ".join(["Training seconds; the kept epoch counts from 0.", *(diverged or ["No run diverged."])])
    return Table("Runs", row_names(result), turned, note)


def seeds_note(result: StudyResult) -> str:
    """How the numbers of a table are to be read."""
    counts = sorted({len(runs) for method in result.methods if (runs := runs_of(result, method))})
    some = any(run.status == "diverged" for run in result.runs)
    rest = "The best mean of each column is bold." + " A fraction after a name: the runs that did not diverge." * some
    if counts == [1]:
        return f"One seed, so there are no intervals. {rest}"
    seeds = " to ".join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))
    pool = f" {pool_note(result)}" if result.pooled else ""
    return f"Mean ± half-width of the 95 % t-interval over {seeds} seeds.{pool} {rest}"


def pool_note(result: StudyResult) -> str:
    """Where the deep ensembles come from, if from a pool."""
    assert result.pooled
    return (
        f"The deep ensemble's figures are means over sets of {result.pooled.size} of the {len(result.pooled.networks)} "
        "single networks, its intervals the jackknife's over networks."
    )


def _score_table(result: StudyResult, set_name: str, title: str, metrics: tuple[Metric, ...], note: str) -> Table:
    summary = summarise(result)
    shown = tuple(score_column(result, summary, set_name, metric) for metric in metrics)
    return Table(title, row_names(result), shown, note)


def _ood_title(result: StudyResult, set_name: str) -> str:
    """Such as "Near out of distribution: cifar100"."""
    known = distance(result, set_name)
    where = f"{known.capitalize()} out of distribution" if known else "Out of distribution"
    return f"{where}: {set_name.removeprefix('ood/')}"


def _scaled_tables(result: StudyResult) -> list[Table]:
    """Quality of test and shift, raw beside temperature-scaled; nothing where no temperature was fitted."""
    if not has_temperature(result):
        return []
    summary, shown = summarise(result), []
    temperature = score_column(result, summary, "validation", columns.TEMPERATURE)
    note = "The temperature, one for all members, is fitted on validation data and applied before they are averaged."
    for name, title in (("test", "test"), ("shift", "shifted test")):
        if name in sets_of(result):
            pairs = [
                score_column(result, summary, name, each)
                for metric in (columns.NLL, columns.ECE, columns.BRIER)
                for each in (of_set(result, name, metric), of_set(result, name, scaled(metric)))
            ]
            shown.append(Table(f"Temperature-scaled: {title}", row_names(result), (temperature, *pairs), note))
    return shown


def _runs_row(result: StudyResult, method: str) -> tuple[Cell, ...]:
    runs = runs_of(result, method)
    whole = [run for run in runs if run.status != "diverged"]
    statuses = [run.status for run in runs]
    texts = (
        parameters(result, method),
        _SECONDS.shown(estimate([run.seconds for run in whole])),
        ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses)) or "from the pool",
        _EPOCHS.shown(estimate([run.epochs for run in whole])),
        _EPOCHS.shown(estimate([run.kept_epoch for run in whole])),
    )
    return tuple(Cell(text) for text in texts)


def parameters(result: StudyResult, method: str) -> str:
    """Trained numbers of the method, over all members."""
    counts = {run.parameters for run in runs_of(result, method)}
    if not counts and result.pooled:
        counts = {result.pooled.parameters}
    return " / ".join(f"{n:,}" for n in sorted(counts))
