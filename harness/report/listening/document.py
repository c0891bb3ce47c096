"""
A page as text and as a file: its styles and scripts in it, each named by its hash in the content security policy.

Every text is escaped by the template engine. The script may load further ones (the shelf's), by `strict-dynamic`; markup
may not, so that a hostile text that became markup could still run and load nothing. Knows no contents.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.report.page import TEMPLATES as SHARED

TEMPLATES = Path(__file__).with_name("templates")
STYLES = (SHARED / "page.css", TEMPLATES / "voices.css")
"""The look of all pages, and what these add to it."""


def render(template: str, scripts: Sequence[str], **values: object) -> str:
    """Fill a template; it finds its policy, style and script as `csp`, `style` and `script`."""
    style = "".join(path.read_text(encoding="utf-8") for path in STYLES)
    script = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in scripts)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(csp=_policy(style, script), style=style, script=script, **values)


def png_uri(data: bytes) -> str:
    """Give a picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)} 'strict-dynamic'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
