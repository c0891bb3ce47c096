"""
Run folders: every file of one damaged, read and judged as `voxgate gate` does; then drawn as a page
at times.
"""

import json
import random
import shutil
from pathlib import Path
from unittest import mock

from tests.fuzz import mutate
from tests.fuzz.driver import check_harmless
from tests.harness.cli.test_main import made_up
from tests.harness.hostile import make_run
from voxgate.harness import workflow
from voxgate.harness.judging.judge_run import scored_run
from voxgate.harness.records.run import HeardText
from voxgate.harness.report.junit import junit
from voxgate.harness.report.markdown import markdown
from voxgate.harness.report.page import write_page
from voxgate.harness.report.terminal import report_lines
from voxgate.harness.runner import run_folder
from voxgate.harness.scoring import kept_scores

EVERY = 16
"""Of so many, one is judged and drawn, which takes twenty times as long as reading."""


class Runs:
    """Input: the name of a file and its content, or `kind`, a line, and that."""

    name, share = "run folders", 10.0

    def __init__(self, folder: Path) -> None:
        self._baselines = folder / "baselines"
        self._whole = make_run(folder / "whole" / "0001")
        with mock.patch.object(kept_scores, "score_run", made_up):
            scored_run(self._whole, self._baselines)
        run_folder.save_transcripts(
            self._whole, {"steps-8": {"r1": HeardText(text="Text r1.", recogniser="tiny.en")}}
        )
        self._run = folder / "runs" / "0001"
        shutil.copytree(self._whole, self._run)
        self._files = [
            path.relative_to(self._run).as_posix()
            for path in sorted(self._run.rglob("*"))
            if path.is_file()
        ]

    def make(self, chance: random.Random) -> bytes:
        name = chance.choice(self._files)
        content = (self._whole / name).read_bytes()
        if name.endswith(".jsonl"):
            content = _lines(content, chance)
        elif name.endswith(".wav"):
            content = mutate.broken(content, chance)
        else:
            content = mutate.json_text(json.loads(content), chance)
        return b"%s%s\n%s" % (
            b"draw " if chance.randrange(EVERY) == 0 else b"",
            name.encode(),
            content,
        )

    def read(self, content: bytes) -> None:
        name, _, damaged = content.partition(b"\n")
        draw, file = name.startswith(b"draw "), name.removeprefix(b"draw ").decode("latin-1")
        if file not in self._files:
            return
        try:
            (self._run / file).write_bytes(damaged)
            if draw:
                self._judge()
            else:
                run_folder.load_run(self._run)
                run_folder.load_measurements(self._run)
        finally:
            for made in ("measurements.json", "scored.json", "transcripts.json", file):
                if draw or made == file:
                    shutil.copyfile(self._whole / made, self._run / made)

    def names(self, refusal: str) -> bool:
        return str(self._run.parent) in refusal or any(
            word in refusal for word in ("records of", "measurements of")
        )

    def _judge(self) -> None:
        with mock.patch.object(kept_scores, "score_run", made_up):
            contents = workflow.judge_run(self._run, self._baselines)
        for text in (junit(contents.judgement), markdown(contents)):
            check_harmless(text, mutate.CANARIES)
        report_lines(contents, 100)
        page = write_page(contents, self._run.parent / "page.html", self._baselines)
        check_harmless(page.read_text(encoding="utf-8"), mutate.CANARIES)


def _lines(content: bytes, chance: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    way = chance.random()
    if way < 0.7:
        lines[at] = mutate.json_text(json.loads(lines[at]), chance) + b"\n"
    elif way < 0.8:
        del lines[at]
    elif way < 0.9:
        lines[at:at] = [chance.choice(lines)]
    else:
        return mutate.broken(content, chance)
    return b"".join(lines)
