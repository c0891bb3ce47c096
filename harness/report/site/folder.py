"""
The folder of the site: filled templates and copied assets.

The whole is replaced at once, so that nobody ever reads half a site.
"""

import importlib.util
import shutil
from pathlib import Path

from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.replace_folder import drafted, put_folder
from voxgate.harness.records.files import close_folder, inside, reason, write_file
from voxgate.harness.report.html import EVERYWHERE, STYLE, TEMPLATES, stylesheet, templates

SCRIPTS = (*EVERYWHERE, "parts.js", "overview.js", "trends.js", "run.js", "compare.js")
LIBRARY = ("uPlot.iife.js", "uPlot.min.css")
"""
uPlot, out of the installed package `uplot-python`: the smallest and quickest library of those that
were measured (docs/evidence/site-scale.md), and one that needs neither eval nor inline styles.
"""
ADVICE = "choose another --out, or make room"
OURS = f"assets/{STYLE}"
"""What tells that a folder is a site, and may be replaced by a newer one."""


class Folder:
    """A site being written: beside its place, until `done` puts it there."""

    def __init__(self, out: Path, today: str) -> None:
        self.out = out
        self._place = out.resolve()
        self._templates = templates(today=today)
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
        close_folder(self._lock)

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
