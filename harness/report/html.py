"""
Pages as text: one folder of templates, one stylesheet, and two ways to carry style and script.

A page of the site links to the shared files in `assets/`. A page that stands alone holds them
itself, each named by its hash in the content security policy, which stops everything else. Every
text is escaped by the template engine.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).with_name("templates")
STYLE = "voxgate.css"
STYLES = ("base", "tables", "charts", "trends", "player", "print")
"""The sheets of `templates/styles`, in the order in which they are joined to the one of a page."""
EVERYWHERE = ("hover.js", "frame.js")
"""The scripts of every page."""
SITE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri "
    "'none'; form-action 'none'"
)
"""
A page of the site may load the files beside it and nothing else; no script and no style stands in a
page (`data:` is the empty icon).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineAssets:
    """Style and script that stand in the page itself."""

    style: str
    script: str


def templates(**everywhere: object) -> Environment:
    """Return the environment of all templates; `everywhere` holds values that each page needs."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals = {
        "csp": SITE_POLICY,
        "today": "",
        "inline": None,
        "everywhere": EVERYWHERE,
        **everywhere,
    }
    return environment


def standalone(
    template: str, scripts: Sequence[str], *, loads_assets: bool = False, **values: object
) -> str:
    """
    Fill a template with style and scripts inlined. `loads_assets` lets the page's own script, and
    no markup, load the scripts of an asset folder.
    """
    script = "".join(map(text_of, (*EVERYWHERE, *scripts)))
    inline = InlineAssets(style=stylesheet(), script=script)
    filled = templates(csp=_policy(inline, loads_assets), inline=inline).get_template(template)
    return filled.render(**values)


def stylesheet() -> str:
    """Return the one stylesheet of every page."""
    return "\n".join(text_of(f"styles/{name}.css") for name in STYLES)


def text_of(name: str) -> str:
    """Return the text of a file among the templates."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def data_uri(kind: str, data: bytes) -> str:
    """Return a file as a data URI; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _policy(inline: InlineAssets, loads_assets: bool) -> str:
    further = " 'strict-dynamic'" if loads_assets else ""
    return (
        f"default-src 'none'; style-src {_hash(inline.style)}; script-src {_hash(inline.script)}"
        f"{further}; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
