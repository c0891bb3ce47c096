"""
voxgate with made-up ears: what is heard is invented, the control is left out, and two rounds are
enough.

Listening with Whisper takes half a minute a run, which is for other tests. Whether the machine is
quiet is no matter of the machine that tests run on: QUICK_VOXGATE_MACHINE=quiet or loaded says what
`accept` finds. Everything else is real.
"""

import os
import sys
from pathlib import Path

MACHINE = "QUICK_VOXGATE_MACHINE"
RESTLESS = {"quiet": "", "loaded": "the machine was loaded (load 9.5 of 2 cores)"}
ROOT = Path(__file__).parents[2]


def install(folder: Path, python: str = sys.executable) -> Path:
    """Write programs `voxgate` and, unless it lies there, `python` into a folder, and give it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (
        "import sys",
        f"sys.path.insert(0, {str(ROOT)!r})",
        "from tests.ci.quick_voxgate import main",
        "main()",
    )
    programs = {
        "voxgate": "\n".join([f"#!{python} -P", *lines, ""]),
        "python": f'#!/bin/sh\nexec {python} "$@"\n',
    }
    for name, text in programs.items():
        if str(folder / name) == python:
            continue
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def main() -> None:
    """Run one command."""
    from tests.harness.repository import listen
    from voxgate.harness.judging import accept
    from voxgate.harness.revisions import ab, ab_plan, paired_run
    from voxgate.harness.runner import run_plan
    from voxgate.harness.scoring import kept_scores

    ab_plan.ROUNDS = 2  # before the command line takes it for its default
    from voxgate.harness.cli import main as cli

    kept_scores.score_run = listen
    ab.CONFIRM_ROUNDS = run_plan.CONFIRM_ROUNDS = 2
    paired_run._control = lambda cells: ()
    if MACHINE in os.environ:
        found = RESTLESS[os.environ[MACHINE]]
        accept.restlessness = lambda run, cells: found
    cli.main()
