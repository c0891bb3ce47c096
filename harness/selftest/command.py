"""
The two selftests as the command line runs them: measure, then render every form.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from voxgate.harness.errors import HarnessError
from voxgate.harness.report.verb_page import VerbPage
from voxgate.harness.runner.progress import Progress, ScoreProgress
from voxgate.harness.selftest import render_quality, render_speed
from voxgate.harness.selftest.draw_quality import check_picture, write_picture
from voxgate.harness.selftest.page import quality_page, speed_page
from voxgate.harness.selftest.quality import quality_selftest
from voxgate.harness.selftest.speed import speed_selftest
from voxgate.harness.selftest.speed_plan import SelftestPlan, command, folder_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SelftestReport:
    """
    The results of a selftest as text (the last line is the verdict), Markdown, JSON document and
    page.
    """

    text: str
    markdown: str
    document: Mapping[str, Any]
    exit_code: int
    page: VerbPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """A person stopped the selftest; `advice` is how to continue."""

    advice: str


def report_speed(question: SelftestPlan, progress: Progress) -> SelftestReport | Interrupted:
    """
    Run or continue a selftest of speed.

    Raises HarnessError as `speed_selftest` does, and for options that only faults have.
    """
    of_quality = {
        "--recordings": question.recordings,
        "--picture": question.picture,
        "--greatest": question.greatest,
        "--blocking": question.blocking,
    }
    given = [option for option, value in of_quality.items() if value]
    if given:
        raise HarnessError(f"faults alone know {' and '.join(given)}; add --quality")
    placed = replace(question, out=folder_of(question))
    trust = speed_selftest(placed, progress)
    if trust is None:
        return Interrupted(advice=f"nothing measured is lost, continue with: {command(placed)}")
    return SelftestReport(
        text=render_speed.text(trust),
        markdown=render_speed.markdown(trust),
        document={"folder": str(placed.out), **render_speed.to_json(trust)},
        exit_code=render_speed.exit_code(trust),
        page=speed_page(trust),
    )


def report_quality(
    question: SelftestPlan, progress: Progress, scoring: ScoreProgress | None
) -> SelftestReport | Interrupted:
    """
    Run a selftest of quality, and draw its results. Raises HarnessError as `quality_selftest` and
    `write_picture` do.
    """
    if question.picture is not None:
        check_picture(question.picture)
    placed = replace(question, out=folder_of(question))
    trust = quality_selftest(placed, progress, scoring)
    if trust is None:
        return Interrupted(
            advice="the scores are kept, so that a new selftest of quality is quicker"
        )
    if question.picture is not None:
        write_picture(trust, question.picture)
    return SelftestReport(
        text=render_quality.text(trust),
        markdown=render_quality.markdown(
            trust, _command(question), question.picture.name if question.picture else ""
        ),
        document={"folder": str(placed.out), **render_quality.to_json(trust)},
        exit_code=render_quality.exit_code(trust),
        page=quality_page(trust),
    )


def _command(question: SelftestPlan) -> str:
    """Return the command line, as far as it changes the results of a selftest of quality."""
    words = ["voxgate", "selftest", question.suite, "--quality", "--profile", question.profile]
    for pattern in question.only:
        words += ["--only", pattern]
    for option, path in (("--recordings", question.recordings), ("--picture", question.picture)):
        words += [] if path is None else [option, str(path)]
    words += ["--greatest"] if question.greatest else []
    words += ["--blocking"] if question.blocking else []
    return shlex.join([*words, "--markdown"])
