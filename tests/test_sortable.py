"""A table to sort: what is a number is ordered as one, and nothing in it is markup."""

import json
import shutil
import subprocess

import pytest

from experiments import sortable


def test_text_is_escaped():
    source = sortable.page("A & B", "of <i>", ("<b>",), (("</table>",), ("1 < 2",)))
    assert "A &amp; B" in source
    assert "<th>&lt;b&gt;</th>" in source
    assert source.count("</table>") == 1
    assert source.count("<tr>") == 3


@pytest.mark.skipif(not shutil.which("node"), reason="there is no node to run it")
def test_numbers_are_ordered_as_numbers_and_what_is_none_comes_last():
    cells = ["–", "1.4 [< 1, > 8]", "−3 % [−9, 2]", "> 8 [4.0, > 8]", "< 1", "12", "−1,204 % [−∞, 5]", "1,300"]

    def ordered(way):
        call = f"console.log(JSON.stringify({json.dumps(cells)}.sort((a, b) => order(a, b, {way}))))"
        found = subprocess.run(["node", "-e", f"{sortable.SCRIPT}\n{call}"], capture_output=True, text=True, check=True)
        return json.loads(found.stdout)

    falling = ["1,300", "12", "> 8 [4.0, > 8]", "1.4 [< 1, > 8]", "< 1", "−3 % [−9, 2]", "−1,204 % [−∞, 5]"]
    assert ordered(1) == [*falling, "–"]
    assert ordered(-1) == [*falling[::-1], "–"]
