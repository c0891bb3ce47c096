"""
The files beside a page, and the page itself as text and file.

Sounds and pictures are named by a hash of their content, so that no name reveals the voice. An
asset is a script with one call that passes base64: the only kind of file that a page can read from
a disk as well as from a web server.

A page holds its styles and scripts, each named by its hash in the content security policy. Every
text is escaped by the template engine. The script may load further ones (the assets) by
`strict-dynamic`; markup may not, so that a hostile text that became markup could still run and load
nothing.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from voxgate.harness.records.files import write_file
from voxgate.harness.report.page import TEMPLATES as SHARED

FOLDER = "audio"
"""Below the folder of the pages; `deck.js` has the same word."""


class AssetFolder:
    """
    A folder of files named by their content. Existing files are not written again; `size_bytes`
    counts those that are.
    """

    def __init__(self, out: Path) -> None:
        self._folder = out / FOLDER
        self._ids: set[str] = set()
        self.size_bytes = 0

    def put(self, data: bytes) -> str:
        """Keep a file's bytes; gives its id. Raises HarnessError if it cannot be written."""
        name = hashlib.sha256(data).hexdigest()[:16]
        if name not in self._ids:
            self._ids.add(name)
            self.size_bytes += self._write(name, data)
        return name

    def _write(self, name: str, data: bytes) -> int:
        path = self._folder / f"{name}.js"
        text = f'voxgate("{name}","{base64.b64encode(data).decode()}");\n'
        if path.is_file() and path.stat().st_size == len(text):
            return len(text)
        write_file(
            path, text, "choose another --out", parents=True, durable=False
        )  # the site that it belongs to is brought to disk as one
        return len(text)


TEMPLATES = Path(__file__).with_name("templates")
STYLES = (SHARED / "page.css", TEMPLATES / "voices.css")
"""The look of all pages, and what these add to it."""


def render(template: str, scripts: Sequence[str], **values: object) -> str:
    """Fill a template; it finds its policy, style and script as `csp`, `style` and `script`."""
    style = "".join(path.read_text(encoding="utf-8") for path in STYLES)
    script = "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in scripts)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        csp=_policy(style, script), style=style, script=script, **values
    )


def png_uri(data: bytes) -> str:
    """Return a picture as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)} "
        "'strict-dynamic'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def minute(created: str) -> str:
    """Shorten an ISO time in UTC: `2026-11-21 10:44 UTC`."""
    return f"{created[:16].replace('T', ' ')} UTC"
