"""
Comments as GitHub shows them: its Markdown with the few HTML tags that it lets through, in a box of
its width, light and dark.

python -m tests.harness.report.github_page FILE [OUTCOME ...]    a page of comments, to be looked at
"""

import re
import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

from markdown_it import MarkdownIt

from tests.harness.report.outcomes import OUTCOMES, drawn

LET_THROUGH = {"details", "summary", "sub"}
"""Tags of HTML in our comments; GitHub lets more through, but nothing with a style or a script."""
STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --paper: #fff; --rule: #d1d9e0;
        --soft: #f6f8fa; --link: #0969da; --code: #818b981f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f0f6fc; --paper: #0d1117; --rule: #3d444d; --soft: #151b23; --link: #4493f8;
          --code: #656c7633; } }
body { margin: 0; padding: 16px; background: var(--paper); color: var(--ink);
       font: 14px/1.5 -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
.who { padding: 8px 16px; background: var(--soft); border-bottom: 1px solid var(--rule); }
.box { max-width: 848px; margin: 0 auto 24px; border: 1px solid var(--rule); border-radius: 6px; }
.comment { padding: 16px; overflow-wrap: break-word; }
h3 { font-size: 1.25em; line-height: 1.25; margin: 0 0 16px; }
p, ul, table, details, pre { margin: 0 0 16px; }
ul { padding-left: 2em; }
table { display: block; width: max-content; max-width: 100%; overflow: auto;
        border-collapse: collapse; }
th, td { padding: 6px 13px; border: 1px solid var(--rule); }
tr:nth-child(2n) { background: var(--soft); }
a { color: var(--link); }
code { padding: .2em .4em; font: 85%/1.45 ui-monospace, "Liberation Mono", monospace;
       background: var(--code); border-radius: 6px; }
pre { padding: 16px; overflow: auto; background: var(--soft); border-radius: 6px; }
pre code { padding: 0; background: none; }
sub { font-size: 75%; }
"""


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


def as_html(comment: str) -> str:
    """Render a comment. Raises ValueError for HTML that GitHub would not let through as it is."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tags = _Tags()
    for token in parser.parse(comment):
        for each in (token, *(token.children or ())):
            if each.type in ("html_block", "html_inline"):
                tags.feed(each.content)
    strange = [tag for tag, attributes in tags.found if tag not in LET_THROUGH or attributes]
    if strange:
        raise ValueError(f"GitHub would change {strange}")
    return str(parser.render(comment))


def as_page(comments: Iterable[tuple[str, str]]) -> str:
    """Return a page of named comments, each in a box as on a pull request."""
    boxes = [
        f'<div class="box" id="{re.sub("[^a-z-]", "", name)}">'
        f'<div class="who"><b>github-actions</b> bot commented</div>'
        f'<div class="comment">{as_html(text)}</div></div>'
        for name, text in comments
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Comments</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{''.join(boxes)}</body></html>"
    )


if __name__ == "__main__":
    asked = sys.argv[2:] or [name for name in OUTCOMES if name != "hostile"]
    Path(sys.argv[1]).write_text(as_page((name, drawn(name)) for name in asked), encoding="utf-8")
