"""
Add the digests of the golden audio to baselines that were accepted before digests existed: `python
-m voxgate.harness.judging.seal [baselines]`.

Nothing else in them changes. Old audio is checked as far as possible: it belongs to requests of the
reference cell, and has the duration that `quality.json` records. Only the review could check that
it is the accepted audio bit by bit.
"""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from voxgate.harness.audio.files import promised_duration_s
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline import golden_dir, load_baseline, suite_dir
from voxgate.harness.judging.baseline_file import BaselineFile, render
from voxgate.harness.judging.replace_folder import replacement
from voxgate.harness.records.files import reason, write_atomic

SLACK_S = 1e-5
"""Less than one PCM sample at 48 kHz, more than the rounding of durations in the file."""


def seal(baselines: Path, suite: str) -> bool:
    """
    Add the digests to a suite's quality baseline; return False where it has them, or there is none.

    Raises HarnessError for audio that cannot be the accepted one, and where nothing can be written.
    """
    quality = load_baseline(baselines, suite, "none").quality
    if quality is None or quality.golden is not None:
        return False
    files = sorted(golden_dir(baselines, suite).glob("*.flac"))
    _check_lengths(quality, files)
    digests = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    folder = suite_dir(baselines, suite)
    try:
        with replacement(folder) as draft:
            write_atomic(draft / "quality.json", render(replace(quality, golden=digests)))
    except OSError as error:
        raise HarnessError(
            f"cannot write in {folder}: {reason(error)}; make room, or make it writable"
        ) from error
    return True


def main(arguments: Sequence[str]) -> int:
    """Seal all suites of a folder, and print their names."""
    baselines = Path(arguments[0] if arguments else "baselines")
    try:
        for path in sorted(baselines.glob("*/quality.json")):
            result = "sealed" if seal(baselines, path.parent.name) else "left as it is"
            print(f"{path.parent.name}: {result}")
    except HarnessError as error:
        print(f"voxgate: {error}", file=sys.stderr)
        return 2
    return 0


def _check_lengths(quality: BaselineFile, files: Sequence[Path]) -> None:
    measured = quality.measurements.get(quality.reference, {}).get("duration")
    if measured is None:
        raise HarnessError(
            f"{quality.path} has no durations of the reference {quality.reference}; accept a run "
            "again"
        )
    expected = {value.id: value.value for value in measured.values}
    for path in files:
        length, expected_s = promised_duration_s(path), expected.get(path.stem)
        if not isinstance(expected_s, float) or abs(length - expected_s) > SLACK_S:
            raise HarnessError(
                f"{path} lasts {length:.4f} s, and {quality.path} says {expected_s}; accept a "
                "run again"
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
