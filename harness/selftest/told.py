"""
The two selftests as a command line wants them: run, then told in every form. One line per stage.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.pipeline import ScoreProgress
from harness.progress import Progress
from harness.selftest import shown, shown_quality
from harness.selftest.quality import quality_selftest
from harness.selftest.speed import Question, command, folder_of, speed_selftest


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a selftest found: for people (the last line is the verdict), for a document, for a program."""

    text: str
    markdown: str
    document: Mapping[str, Any]
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """A person stopped it; `advice` says how to go on."""

    advice: str


def tell_speed(question: Question, progress: Progress, *, rivals: bool) -> Told | Interrupted:
    """Run or continue a selftest of speed. Raises HarnessError as `speed_selftest` does."""
    placed = replace(question, out=folder_of(question))
    trust = speed_selftest(placed, progress)
    if trust is None:
        return Interrupted(advice=f"nothing measured is lost, continue with: {command(placed)}")
    return Told(
        text=shown.text(trust, rivals=rivals),
        markdown=shown.markdown(trust, rivals=rivals),
        document={"folder": str(placed.out), **shown.to_json(trust)},
        exit_code=shown.exit_code(trust),
    )


def tell_quality(question: Question, progress: Progress, scoring: ScoreProgress | None) -> Told | Interrupted:
    """Run a selftest of quality. Raises HarnessError as `quality_selftest` does."""
    placed = replace(question, out=folder_of(question))
    trust = quality_selftest(placed, progress, scoring)
    if trust is None:
        return Interrupted(advice="the scores are kept, so that a new selftest of quality is quicker")
    return Told(
        text=shown_quality.text(trust),
        markdown=shown_quality.markdown(trust),
        document={"folder": str(placed.out), **shown_quality.to_json(trust)},
        exit_code=shown_quality.exit_code(trust),
    )
