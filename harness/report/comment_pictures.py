"""
The pictures that a comment on a pull request links to, as PNG files in a folder: the spectrograms
of both voices at the worst moment, and the shifts against their limits.

    shifts.png, spectrograms.png    each only where there is something to show
"""

from functools import partial
from pathlib import Path

from voxgate.harness.judging.baseline import golden_dir
from voxgate.harness.records.files import write_file
from voxgate.harness.report.contents import Report, TakesOf
from voxgate.harness.report.listening.pair_png import pair_png
from voxgate.harness.runner.recordings import recordings_of, takes

SHIFTS, SPECTROGRAMS = "shifts.png", "spectrograms.png"


def write_pictures(contents: Report, folder: Path, baselines: Path) -> tuple[Path, ...]:
    """Write the pictures of a judged run. Raises HarnessError if one cannot be written."""
    recordings = recordings_of(contents.run, golden_dir(baselines, contents.run.suite))
    return pictures(contents, partial(takes, recordings), folder)


def pictures(contents: Report, takes_of: TakesOf, folder: Path) -> tuple[Path, ...]:
    """Write the pictures; `takes_of` returns the recordings of an utterance."""
    drawn = {SPECTROGRAMS: pair_png(contents, takes_of)}
    written = {folder / name: png for name, png in drawn.items() if png is not None}
    for path, png in written.items():
        write_file(path, png, "name another folder")
    return tuple(written)
