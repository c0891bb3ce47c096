"""
The verbs that examine this machine and its judges: doctor, floor, selftest.
"""

from pathlib import Path
from typing import Any

import click

from voxgate.harness.cli.options import Amount, Count, as_json, file, folder, html_page
from voxgate.harness.cli.options import profile as profile_option
from voxgate.harness.cli.output import INTERRUPTED, say, say_result
from voxgate.harness.machine import readiness
from voxgate.harness.machine.profiles import DEFAULT as DEFAULT_PROFILE
from voxgate.harness.machine.profiles import PROFILES
from voxgate.harness.records.run import OPENAI
from voxgate.harness.report.doctor_page import write_doctor_page
from voxgate.harness.report.terminal import examination_lines, examination_to_dict
from voxgate.harness.report.verb_page import write_verb_page
from voxgate.harness.runner.progress import measuring_progress, score_progress
from voxgate.harness.scoring.asr_floor import make_floor, rate_of
from voxgate.harness.scoring.transcription import ENGINES
from voxgate.harness.selftest.command import Interrupted, report_quality, report_speed
from voxgate.harness.selftest.speed_plan import EQUALS, SelftestPlan


@click.command()
@click.option(
    "--profile",
    default=DEFAULT_PROFILE,
    show_default=True,
    metavar="NAME",
    help=f"Kind of device, one of {', '.join(PROFILES)}, or the path of a .toml file.",
)
@html_page
@as_json
def doctor(profile: str, html: Path | None, as_json: bool) -> int:
    """
    Check whether this machine is quiet and steady enough to measure on, and print why not.

    It changes nothing. Exit code 0 where it is fit, 3 where it is not, 2 where the profile is for
    another kind of device.

    \b
    Example: voxgate doctor --profile jetson-agx-orin-maxn
    """
    found = readiness.examine(profile)
    if not as_json:
        for line in examination_lines(found):
            click.echo(line)
    if html is not None:
        write_doctor_page(found, html)
    say_result(as_json, examination_to_dict(found), found.line)
    return found.exit_code


@click.command()
@click.argument("workload")
@click.option(
    "--recordings", type=folder, help="A folder of <request id>.wav or .flac, in place of flite."
)
@click.option(
    "--speaker", help="Name of the recordings' speaker; that of their folder unless given."
)
@click.option(
    "--judge",
    default=OPENAI,
    show_default=True,
    metavar="NAME",
    help=f"Which recogniser listens, {' or '.join(ENGINES)}, or the path of a Whisper model; take "
    "the one that your suite names.",
)
@as_json
def floor(
    workload: str, recordings: Path | None, speaker: str | None, judge: str, as_json: bool
) -> int:
    """
    Measure how many words the recogniser gets wrong in speech that is known to be good.

    The synthesiser flite reads the texts of WORKLOAD, unless --recordings holds a person's. The
    rate is written beside the workload, and reports show it beside the engine's own: below it, no
    engine can get.

    \b
    Example: voxgate floor everyday-short --recordings recordings/rms
    """
    path, made = make_floor(workload, recordings, speaker, score_progress(), judge)
    rates = {name: rate_of(made, name).point for name in made.versions}
    document = {
        "floor": str(path),
        "speaker": made.speaker,
        "rates": rates,
        "versions": dict(made.versions),
    }
    shown = ", ".join(f"{name} {100.0 * rate:.1f} %" for name, rate in rates.items())
    say_result(
        as_json,
        document,
        f"floor {shown}: {made.speaker} on {len(made.utterances)} texts; review and commit {path}",
    )
    return 0


@click.command()
@click.argument("suite", required=False)
@click.option(
    "--minutes",
    type=Amount(positive=False),
    default=10.0,
    show_default=True,
    help="Minutes to measure; 0 judges what is there.",
)
@profile_option
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Only cells whose name matches; unless given, as many as fit into the time.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=Amount(),
    help="A slow-down to plant, in per cent; may be repeated.",
)
@click.option(
    "--stage",
    metavar="NAME",
    help="The stage of the engine to slow down; the longest one unless given.",
)
@click.option(
    "--equals",
    type=Count(2),
    default=EQUALS,
    show_default=True,
    help="Copies of the unchanged engine, which are compared with each other for false alarms.",
)
@click.option("--out", type=folder, help="Folder; runs/selftest/NNNN unless given.")
@click.option("--resume", is_flag=True, help="Continue a selftest of speed: --out, or the latest.")
@click.option("--loaded", is_flag=True, help="Keep one core busy meanwhile, on purpose.")
@click.option(
    "--quality", is_flag=True, help="Plant faults into the audio, in place of slow-downs."
)
@click.option(
    "--recordings",
    type=folder,
    help="With --quality: real speech to plant faults into as well, and its texts.toml.",
)
@click.option(
    "--picture", type=file, help="With --quality: draw which metric sees which fault, as PNG."
)
@click.option(
    "--greatest", is_flag=True, help="With --quality: each fault at its greatest strength only."
)
@click.option(
    "--blocking", is_flag=True, help="With --quality: only metrics that block, in less time."
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the result as Markdown.")
@html_page
@as_json
def selftest(
    suite: str | None,
    html: Path | None,
    sizes: tuple[float, ...],
    quality: bool,
    as_markdown: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """
    Measure how far verdicts of this machine can be trusted: how often it calls two equal engines
    different, and how small a slow-down it finds. SUITE is smoke unless named.

    With --quality: plant known faults into the audio of SUITE (sensitivity unless named), and list
    which metric sees which fault.

    \b
    Example: voxgate selftest --minutes 30 --size 5 --size 10
    """
    unnamed = "sensitivity" if quality else "smoke"
    asked = unnamed if suite is None else suite
    question = SelftestPlan(suite=asked, sizes=tuple(size / 100.0 for size in sizes), **options)
    told = (
        report_quality(question, measuring_progress(), score_progress())
        if quality
        else report_speed(question, measuring_progress())
    )
    if isinstance(told, Interrupted):
        say(f"interrupted; {told.advice}")
        return INTERRUPTED
    if html is not None:
        write_verb_page(told.page, html)
    say_result(as_json, told.document, (told.markdown if as_markdown else told.text).rstrip())
    return told.exit_code
