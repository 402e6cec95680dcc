"""A table as a page of its own, which opens in any browser and is sorted by a click on a head."""

import html
from collections.abc import Sequence

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 14px/1.4 sans-serif; margin: 2em; }}
p {{ max-width: 60em; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 0.2em 0.7em; text-align: right; border-bottom: 1px solid #ccc; white-space: nowrap; }}
th {{ cursor: pointer; white-space: normal; vertical-align: bottom; }}
th:first-child, td:first-child {{ text-align: left; }}
</style>
<h1>{title}</h1>
<p>{words}</p>
<p>Click on a head to sort by it, and again for the other way round.</p>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<script>
{script}
</script>
</html>
"""

SCRIPT = """const number = text =>
  parseFloat(text.replace("\\u2212", "-").replace(/^[<>] /, "").replace(/(\\d),(?=\\d{3})/g, "$1"));
const order = (a, b, way) => {
  const [x, y] = [number(a), number(b)];
  if (isNaN(x) && isNaN(y)) return way * a.localeCompare(b);
  return isNaN(x) ? 1 : isNaN(y) ? -1 : way * (y - x);
};
if (typeof document !== "undefined") document.querySelectorAll("th").forEach((head, column) => {
  let way = -1;
  head.addEventListener("click", () => {
    const body = head.closest("table").tBodies[0];
    const text = row => row.cells[column].textContent;
    way = -way;
    [...body.rows].sort((a, b) => order(text(a), text(b), way)).forEach(row => body.append(row));
  });
});"""
"""Numbers by their value, the greatest first, what has none last; words by the alphabet."""


def page(title: str, words: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The page; all text is escaped."""

    def cells(tag: str, line: Sequence[str]) -> str:
        return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in line)

    return _PAGE.format(
        title=html.escape(title),
        words=html.escape(words),
        heads=cells("th", heads),
        rows="\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows),
        script=SCRIPT,
    )
