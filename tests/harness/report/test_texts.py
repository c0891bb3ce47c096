"""Text from outside, made harmless."""

import pytest

from voxgate.harness.report.format import escaped, plain

SHOWN = {
    "a|b [x](http://e.com) `c`": "a\\|b \\[x\\](http:&#8203;//e.com) \\`c\\`",
    "@all me@example.org": "@&#8203;all me@&#8203;example.org",
    "www.e.com WWW.e.com": "www&#8203;.e.com WWW&#8203;.e.com",
    "#1 # gh-2 GH-3": "\\#&#8203;1 \\# gh-&#8203;2 GH-&#8203;3",
    "<b> & <!-- x -->": "&lt;b&gt; &amp; &lt;!-- x --&gt;",
    "&#64;all": "&amp;\\#&#8203;64;all",
    "$x$ ~~no~~": "\\$x\\$ \\~\\~no\\~\\~",
}


@pytest.mark.parametrize(("text", "expected"), SHOWN.items(), ids=range(len(SHOWN)))
def test_text_stands_for_itself(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_a_text_becomes_one_printable_line() -> None:
    assert plain(" a\n\nb\tc\x1b[2J \u202edrow \ud800 ") == "a b c?[2J ?drow ?"
