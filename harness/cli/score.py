"""
The verb that scores folders of recordings which no suite made, and compares them as systems.
"""

import json
import re
from pathlib import Path
from typing import Any

import click

from voxgate.harness.cli.options import Count, as_json, file, folder, policy
from voxgate.harness.cli.output import say, say_result
from voxgate.harness.corpora.score import ScoreOptions
from voxgate.harness.corpora.systems import score_systems
from voxgate.harness.errors import HarnessError
from voxgate.harness.judging.baseline import BASELINES
from voxgate.harness.judging.policy import limits_of
from voxgate.harness.machine.profiles import cpu_count
from voxgate.harness.records.files import write_file
from voxgate.harness.report.corpora import csv_of, document_of, report_lines
from voxgate.harness.report.corpora_page import write_score_page
from voxgate.harness.runner.progress import score_progress
from voxgate.harness.scoring.own_models import check_models
from voxgate.harness.scoring.score_run import MOST_WORKERS
from voxgate.harness.scoring.transcription import ENGINES, recognizer_options
from voxgate.harness.suite.workload import LANGUAGE

PAGE, SCORES, TABLE = "index.html", "scores.json", "scores.csv"


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--texts",
    type=file,
    help="The list of texts, in any usual form; unless given, a list in the folder, or files "
    "beside the recordings.",
)
@click.option(
    "--reference", type=folder, help="Recordings of the same names, to compare each one with."
)
@click.option("--voice", type=file, help="A recording of the voice that all should sound like.")
@click.option(
    "--metrics", metavar="NAME,...", help="Only these metrics; all that apply unless given."
)
@click.option(
    "--language", default="en", show_default=True, help="Of texts that name none: en, es, es-MX ..."
)
@click.option(
    "--judge",
    default=ENGINES[0],
    show_default=True,
    metavar="NAME",
    help=f"Which recogniser listens, {' or '.join(ENGINES)}, or the path of a Whisper model.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME=FILE",
    help="A network of your own that scores audio (ONNX or TorchScript), e.g. utmos=utmos.onnx; "
    "behind a comma kind=embedding, rate_hz=..., index=...; may be repeated.",
)
@click.option(
    "--votes", type=file, multiple=True, help="Votes that a blind test saved; may be repeated."
)
@click.option("--csv", "csv_file", type=file, help="Write a row per recording to FILE.")
@click.option("--out", type=folder, help=f"Write {PAGE}, {SCORES} and {TABLE} into this folder.")
@click.option(
    "--jobs", type=Count(1, 64), help="Processes that score; by default the cores, at most 4."
)
@policy
@as_json
def score(
    folders: tuple[Path, ...],
    texts: Path | None,
    reference: Path | None,
    csv_file: Path | None,
    out: Path | None,
    policy: Path | None,
    votes: tuple[Path, ...],
    as_json: bool,
    **chosen: Any,
) -> int:
    """
    Score the recordings of a folder with their texts. With several FOLDERS (or scores that --json
    saved), compare each with the first, text by text.

    Exit code 1 where a recording cannot be scored, or a later folder is worse than the first; 3
    where that could not be decided.

    \b
    Example: voxgate score recordings/ --texts metadata.csv --out report/
    """
    if not folders and not votes:
        raise HarnessError("name a folder of recordings: voxgate score FOLDER --texts FILE")
    report = score_systems(
        folders, texts, reference, _options(**chosen), limits_of(BASELINES, policy), votes
    )
    document = document_of(report)
    for line in report_lines(report):
        click.echo(line, err=as_json)
    scores = [system.scores for system in report.systems]
    if csv_file is not None:
        write_file(csv_file, csv_of(scores), "name another --csv FILE")
    if out is not None:
        write_file(out / SCORES, _text(document), "choose another --out", parents=True)
        write_file(out / TABLE, csv_of(scores), "choose another --out")
        write_score_page(report, out / PAGE)
        say(f"page {out / PAGE}")
    say_result(as_json, document, report.line)
    return report.exit_code


def _options(
    *,
    judge: str,
    metrics: str | None,
    voice: Path | None,
    language: str,
    jobs: int | None,
    models: tuple[str, ...],
) -> ScoreOptions:
    """Return the options. Raises HarnessError for a language or a list of metrics that is none."""
    if not re.fullmatch(LANGUAGE, language):
        raise HarnessError(f"--language {language!r} is no code such as en, es or es-MX")
    names = None if metrics is None else tuple(filter(None, map(str.strip, metrics.split(","))))
    if names == ():
        raise HarnessError(f"--metrics {metrics!r} names none; write --metrics wer,dnsmos_ovrl")
    if voice is not None and not voice.is_file():
        raise HarnessError(f"--voice {voice} is no file; name a recording")
    return ScoreOptions(
        judge=recognizer_options(judge),
        metrics=names,
        voice=voice,
        models=check_models(dict(map(_model, models))) if models else {},
        workers=jobs or min(cpu_count(), MOST_WORKERS),
        language=language,
        progress=score_progress(),
    )


def _model(words: str) -> tuple[str, dict[str, object]]:
    """Return name and entry of a model. Raises HarnessError for anything but NAME=FILE,..."""
    name, mark, rest = words.partition("=")
    path, *further = rest.split(",")
    pairs = [each.partition("=") for each in further]
    if not (name and mark and path) or not all(key and value for key, _, value in pairs):
        raise HarnessError(f"--model {words!r:.80} is no NAME=FILE; write utmos=utmos.onnx")
    keys = {key: int(value) if value.isdecimal() else value for key, _, value in pairs}
    return name, {"path": path, **keys}


def _text(document: object) -> str:
    return json.dumps(document, indent=1, allow_nan=False) + "\n"
