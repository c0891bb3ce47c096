"""
The end of a gate's step: what the job's other steps get to know, its summary, and whether it fails.

    <folder>/judgement.json, comment.md   from `voxgate ab --json --comment`; empty or absent where it came to no judgement
             run/index.html               the page
"""

import json
import os
from pathlib import Path

from harness.errors import HarnessError
from harness.report.pr_comment import headline

WRONG, UNDECIDED = 2, 3


def tell_outputs(folder: Path, code: int) -> str:
    """Write verdict, exit code and page to GITHUB_OUTPUT, and the summary; gives a line. HarnessError outside of a job."""
    line = judged(folder)
    verdict, page = line.partition(":")[0], folder / "run" / "index.html"
    _append("GITHUB_OUTPUT", f"verdict={verdict}\nexit-code={code}\npage={page if page.is_file() else ''}\n")
    comment = folder / "comment.md"
    summary = comment.read_text(encoding="utf-8") if comment.is_file() else "**no verdict**: the log says why\n"
    _append("GITHUB_STEP_SUMMARY", summary)
    return line or f"no judgement; exit code {code}"


def conclude(folder: Path, code: int, undecided: str) -> int:
    """Give the exit code of the gate's step, and print why it is none where something was not decided."""
    line = judged(folder)
    if code == UNDECIDED and undecided == "warn":
        print(f"::warning title=voxgate::nothing regressed, but not all was decided: {line}")
        return 0
    if code or not line:
        print(f"::error title=voxgate::{line or 'no judgement; the log says why'}")
    return code or (0 if line else WRONG)


def judged(folder: Path) -> str:
    """Give the verdict in one line; empty where there is no judgement."""
    try:
        return headline(json.loads((folder / "judgement.json").read_text(encoding="utf-8")))[1]
    except (OSError, ValueError):  # a HarnessError is a ValueError
        return ""


def _append(variable: str, text: str) -> None:
    path = os.environ.get(variable)
    if not path:
        raise HarnessError(f"{variable} is not set; call this from a step of a workflow")
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)
