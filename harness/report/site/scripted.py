"""
The two pages that a script fills: any run by its number, and the environments of any two runs.
"""

from itertools import chain

from harness.report.site.folder import Folder
from harness.report.site.history_view import Book
from harness.report.site.run_data import CHUNK, list_script, run_scripts
from harness.report.site.run_page import meanings


def write_scripted(folder: Folder, book: Book) -> None:
    """Write run.html and compare.html, and the data files that they read; nothing where there is no run."""
    if not book.runs:
        return
    for name, script in chain(run_scripts(book), [list_script(book)]):
        folder.data(name, script)
    carried = {"chunk": CHUNK, "chunks": sorted({run.id // CHUNK for run in book.runs}), "meaning": meanings()}
    folder.page("run.html", "any_run.html", carried=carried)
    folder.page("compare.html", "compare.html", carried=carried)
