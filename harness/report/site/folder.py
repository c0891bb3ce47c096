"""
The folder of the site: filled templates, copied assets and the content security policy.

The whole is replaced at once, so that nobody ever reads half a site.
"""

import importlib.util
import os
import re
import shutil
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harness.errors import HarnessError
from harness.judging.replace_folder import drafted, put_folder
from harness.records.files import inside, reason, write_file
from harness.report.page import TEMPLATES as SHARED

TEMPLATES = Path(__file__).with_name("templates")
SCRIPTS = ("parts.js", "trends.js", "run.js", "compare.js")
LIBRARY = ("uPlot.iife.js", "uPlot.min.css")
"""
uPlot, out of the installed package `uplot-python`: the smallest and quickest library of those that
were measured (docs/evidence/site-scale.md), and one that needs neither eval nor inline styles.
"""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri "
    "'none'; form-action 'none'"
)
"""
A page may load the files beside it and nothing else; no script and no style stands in a page
(`data:` is the empty icon).
"""
ADVICE = "choose another --out, or make room"
OURS = "assets/voxgate.css"
"""What tells that a folder is a site, and may be replaced by a newer one."""


class Folder:
    """A site being written: beside its place, until `done` puts it there."""

    def __init__(self, out: Path, today: str) -> None:
        self.out = out
        self._place = out.resolve()
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals = {"csp": POLICY, "today": today}
        library()
        try:
            if out.exists() and (
                not out.is_dir() or (any(out.iterdir()) and not (out / OURS).exists())
            ):
                raise HarnessError(
                    f"{out} holds something else than a site of voxgate; choose another --out"
                )
            self.draft, self._lock = drafted(self._place)
        except OSError as error:
            raise _cannot(out, error) from error
        try:
            self._assets()
        except BaseException:
            self.__exit__()
            raise

    def page(self, name: str, template: str, **values: object) -> None:
        """Fill a template into a page."""
        self.file(name, self._templates.get_template(template).render(**values))

    def data(self, name: str, script: bytes) -> None:
        """Write a data file, named without its end."""
        self.file(f"data/{name}.js", script)

    def file(self, address: str, content: str | bytes) -> None:
        """Write any other file. Raises HarnessError."""
        write_file(inside(self.draft, address), content, ADVICE, parents=True, durable=False)

    def done(self) -> Path:
        """
        Put the site in its place, in one step; gives the page to begin with. Raises HarnessError.
        """
        try:
            put_folder(self.draft, self._place)
        except OSError as error:
            raise _cannot(self.out, error) from error
        return self.out / "index.html"

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the draft, or the site that was there before."""
        shutil.rmtree(self.draft, ignore_errors=True)
        os.close(self._lock)

    def _assets(self) -> None:
        self.file(OURS, stylesheet())
        for source in (
            *(TEMPLATES / name for name in SCRIPTS),
            *(library() / name for name in LIBRARY),
        ):
            self.file(f"assets/{source.name}", source.read_bytes())


def _cannot(out: Path, error: OSError) -> HarnessError:
    return HarnessError(f"cannot write {out}: {reason(error)}; {ADVICE}")


def library() -> Path:
    """
    Find the charts' library in its package, which is not imported: it would bring IPython along.
    Raises HarnessError.
    """
    spec = importlib.util.find_spec("uplot")
    if spec is None or not spec.submodule_search_locations:
        raise HarnessError("the site's charts need uPlot; pip install 'voxgate[site]'")
    return Path(spec.submodule_search_locations[0]) / "static"


def stylesheet() -> str:
    """
    Return the shared style and the site's own.

    Paper gets the light colours whatever the screen has: through `data-print` too, for charts,
    which are drawn again before the page is laid out for paper.
    """
    shared, own = (
        (folder / name).read_text(encoding="utf-8")
        for folder, name in ((SHARED, "page.css"), (TEMPLATES, "site.css"))
    )
    light = re.search(r":root (\{.*?\})", shared, flags=re.DOTALL)
    assert light is not None, "page.css begins with its colours"
    return (
        f"{shared}{own}:root[data-print] {light.group(1)}\n@media print {{ :root {light.group(1)} "
        f"}}\n"
    )
