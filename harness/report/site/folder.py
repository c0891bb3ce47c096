"""
The folder of the site: templates filled, assets copied, the policy that stops everything else, and the whole put in place at
once, so that nobody ever reads half a site.
"""

import importlib.util
import re
import shutil
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.errors import HarnessError
from harness.report.html import TEMPLATES as SHARED

TEMPLATES = Path(__file__).with_name("templates")
SCRIPTS = ("parts.js", "trends.js", "run.js", "compare.js")
LIBRARY = ("uPlot.iife.js", "uPlot.min.css")
"""uPlot, out of the installed package `uplot-python`: the smallest and quickest library of those that were measured
(docs/evidence/site-scale.md), and one that needs neither eval nor inline styles."""
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
"""A page may load the files beside it and nothing else; no script and no style stands in a page (`data:` is the empty icon)."""
OURS = "assets/voxgate.css"
"""What tells that a folder is a site, and may be replaced by a newer one."""


class Folder:
    """A site being written: beside its place, until `done` puts it there."""

    def __init__(self, out: Path, today: str) -> None:
        self.out, self.draft = out, out.with_name(f".{out.name}.draft")
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.globals = {"csp": POLICY, "today": today}
        if out.exists() and any(out.iterdir()) and not (out / OURS).exists():
            raise HarnessError(f"{out} holds something else than a site of voxgate; choose another --out")
        library()
        shutil.rmtree(self.draft, ignore_errors=True)
        for name in ("assets", "data", "pictures"):
            (self.draft / name).mkdir(parents=True)
        self._assets()

    def page(self, name: str, template: str, **values: object) -> None:
        """Fill a template into a page."""
        (self.draft / name).write_text(self._templates.get_template(template).render(**values), encoding="utf-8")

    def data(self, name: str, script: bytes) -> None:
        """Write a data file, named without its end."""
        self.file(f"data/{name}.js", script)

    def file(self, address: str, content: bytes) -> None:
        """Write any other file."""
        (self.draft / address).write_bytes(content)

    def done(self) -> Path:
        """Put the site in its place; gives the page to begin with."""
        shutil.rmtree(self.out, ignore_errors=True)
        self.draft.replace(self.out)
        return self.out / "index.html"

    def _assets(self) -> None:
        (self.draft / OURS).write_text(stylesheet(), encoding="utf-8")
        for name in SCRIPTS:
            shutil.copyfile(TEMPLATES / name, self.draft / "assets" / name)
        for name in LIBRARY:
            shutil.copyfile(library() / name, self.draft / "assets" / name)


def library() -> Path:
    """Find the charts' library in its package, which is not imported: it would bring IPython along. Raises HarnessError."""
    found = importlib.util.find_spec("uplot")
    if found is None or not found.submodule_search_locations:
        raise HarnessError("the site's charts need uPlot; pip install 'voxgate[site]'")
    return Path(found.submodule_search_locations[0]) / "static"


def stylesheet() -> str:
    """
    Give the shared style and the site's own. Paper gets the light colours whatever the screen has: by `data-print` too, for
    charts, which are drawn again before the page is laid out for paper.
    """
    shared, own = (
        (folder / name).read_text(encoding="utf-8") for folder, name in ((SHARED, "page.css"), (TEMPLATES, "site.css"))
    )
    light = re.search(r":root (\{.*?\})", shared, flags=re.DOTALL)
    assert light is not None, "page.css begins with its colours"
    return f"{shared}{own}:root[data-print] {light.group(1)}\n@media print {{ :root {light.group(1)} }}\n"
