"""The page: self-contained, whole, escaped, and valid."""

import base64
import dataclasses
import html
import re
import xml.etree.ElementTree
from html.parser import HTMLParser

import pytest
from report_fakes import METHODS, predicted_study

from be_jax.report import answer, draw_figures, write_report
from be_jax.report.details import detailed_tables
from be_jax.report.methods import label
from be_jax.report.page import flattened
from be_jax.report.tables import tables
from be_jax.report.words import claim_sentence
from be_jax.stats import judge_results

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Checks that tags nest, and collects the text, the attributes and the images."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.images: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    result, load = predicted_study(diverged=(("deep_ensemble", 69),))
    path = write_report(result, load, tmp_path_factory.mktemp("report") / "new" / "report.html")
    return result, load, path, Page(path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_page_opens_with_the_whole_answer(whole):
    result, _, _, page = whole
    sentences = answer(result)
    places = [page.text.index(sentence) for sentence in sentences]
    assert places == sorted(places)
    assert places[-1] < page.text.index("Tables") < page.text.index("Figures")


@pytest.mark.slow
def test_the_answer_has_its_figure_and_then_the_claims(whole):
    result, _, _, page = whole
    judgement = judge_results(result)
    assert page.images[0]["alt"].startswith("Intervals of MC dropout, BatchEnsemble N(1, 0.5)")
    claims = [
        claim_sentence(label(result, each.name), each, verdict)
        for each in judgement.methods
        for verdict in each.verdicts
    ]
    places = [page.text.index(text) for text in (answer(result)[-1], "Where each method stands", *claims, "Tables")]
    assert places == sorted(places)


def test_a_judgement_that_is_given_is_the_one_that_is_shown(whole, tmp_path):
    result, load, _, page = whole
    judged = dataclasses.replace(judge_results(result), notes=("Of its own.",))
    other = Page(write_report(result, load, tmp_path / "report.html", judged).read_text(encoding="utf-8"))
    assert "Of its own." in other.text
    assert "Of its own." not in page.text


def test_page_holds_every_table_and_figure(whole):
    result, load, _, page = whole
    for table in [*tables(result, judge_results(result)), *detailed_tables(result)]:
        assert table.title in page.text
        assert table.note in page.text
        for column in table.columns:
            assert all(cell.text in page.text for cell in column.cells)
    illustrations = draw_figures(result, load)
    assert len(illustrations) == 6
    assert [image["alt"] for image in page.images[1:]] == [each.alt for each in illustrations]
    assert all(each.caption in page.text for each in illustrations)
    for image in page.images:
        kind, data = image["src"].split(",", 1)
        assert kind == "data:image/svg+xml;base64"
        assert xml.etree.ElementTree.fromstring(base64.b64decode(data)).tag.endswith("svg")


def test_page_fetches_nothing_and_is_small(whole):
    _, _, path, page = whole
    assert path.stat().st_size < 3e6
    fetching = [value for _, name, value in page.attributes if name in ("src", "href", "srcset", "action", "data")]
    assert all(value.startswith("data:") for value in fetching)
    assert not {"script", "link", "iframe"} & {tag for tag, _, _ in page.attributes}
    assert not re.search(r"url\(|@import|https?://", path.read_text(encoding="utf-8"))


def test_page_says_how_it_was_made(whole):
    result, _, _, page = whole
    for name, value in (flattened(result.provenance) | flattened(result.config)).items():
        assert name in page.text
        assert value in page.text
    assert result.data in page.text
    assert "deep ensemble: 1 of 2 runs; seed 69 diverged at step 123" in page.text


def test_text_is_escaped(whole):
    _, _, path, page = whole
    assert "--note '<b>'" in page.text
    assert "<b>" not in path.read_text(encoding="utf-8")


def test_names_are_escaped_everywhere(tmp_path):
    result, load = predicted_study(corruptions=(), ood=('<i>"&',), methods=("<u>'\"&", "deep_ensemble"))
    result = dataclasses.replace(result, experiment="<script>", data="<em>&", config={"<a>": {"<p>": ["<q>"]}})
    source = write_report(result, load, tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<(i|u|script|em|a|q)>", source)
    assert html.escape("<u>'\"&") in source.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")
    assert "<a>.<p>" in Page(source).text


@pytest.mark.parametrize(
    ("kwargs", "figures"),
    [
        ({"corruptions": (), "ood": (), "seeds": (42,)}, 4),
        ({"methods": ("single",)}, 4),
        ({"diverged": tuple((m, s) for m in METHODS for s in (42, 69))}, 0),
    ],
    ids=["one seed, test only", "single only", "all diverged"],
)
def test_page_of_what_there_is(kwargs, figures, tmp_path):
    result, load = predicted_study(**kwargs)
    page = Page(write_report(result, load, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert all(sentence in page.text for sentence in answer(result))
    assert not re.search(r"\bnan\b", page.text)
    assert len(page.images) == figures


def test_flattened():
    record = {"a": 1, "b": {"c": [1, 2], "d": {"e": None}}, "f": "text"}
    assert flattened(record) == {"a": "1", "b.c": "[1, 2]", "b.d.e": "null", "f": "text"}
