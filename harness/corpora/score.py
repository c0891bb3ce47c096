"""
Score a corpus: choose the metrics that its folder allows, and hand its recordings to the scorer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from voxgate.harness.analysis.metric_rules import HELPERS, WEIGHTS
from voxgate.harness.corpora.corpus import CorpusRecording, RecordedCorpus, check_inputs
from voxgate.harness.corpora.scores import CorpusScores, ScoredUtterance
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.metric import Need
from voxgate.harness.metrics.own_models import own_names
from voxgate.harness.metrics.registry import (
    SPEED,
    MetricSpec,
    entries,
    entry,
    full_version,
    needs_asr,
)
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.records.files import files_sha256
from voxgate.harness.records.measurement import Measurement, Missing, UtteranceValue
from voxgate.harness.runner.progress import ScoreProgress
from voxgate.harness.scoring.own_models import RecordedModels, located
from voxgate.harness.scoring.score_run import default_cache_dir, versions_of
from voxgate.harness.scoring.scorer import UtteranceScores, score_quality
from voxgate.harness.scoring.tasks import AudioJob
from voxgate.harness.scoring.transcription import RecognizerOptions

DURATION = "duration"
"""Always computed: it tells whether audio can be read at all."""
REFERENCES = (Need.REFERENCE.value, Need.TAKE.value)
"""Needs that a folder of references meets."""
NO_TEXT = Missing("no text was found for it")
NOT_SCORED = Missing("not scored")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """What to score with: recogniser, metrics (None: all that apply), voice, cores, language."""

    judge: RecognizerOptions
    metrics: tuple[str, ...] | None = None
    voice: Path | None = None
    models: RecordedModels = field(default_factory=dict)
    """Networks of the user's own, by name."""
    workers: int = 2
    language: str = "en"
    progress: ScoreProgress | None = None
    on_plan: Callable[[int, int], None] | None = None
    """Called with (cached scores, scores to compute)."""


def score_corpus(corpus: RecordedCorpus, options: ScoreOptions) -> CorpusScores:
    """
    Score every recording. Raises HarnessError for metrics that do not exist or lack their input,
    and as `check_inputs` and `score_quality` do.
    """
    check_inputs(options.voice, options.language)
    names = chosen_metrics(corpus, options)
    scored = _scored(corpus, names, options)
    versions = _versions(scored, corpus, options)
    return CorpusScores(
        name=corpus.name,
        texts=corpus.origin,
        utterances=tuple(_utterance(one, scored[one.name], options) for one in corpus.utterances),
        measurements=(
            *(_measurement(name, versions, scored) for name in _told(names, options)),
            *_helpers(names, scored),
        ),
        unspoken=corpus.unspoken,
        left_out=dict(corpus.left_out),
        notes=corpus.notes,
    )


def chosen_metrics(corpus: RecordedCorpus, options: ScoreOptions) -> tuple[str, ...]:
    """
    Return the metrics to compute, in the registry's order: those that are named, or all that the
    folder has the inputs of. Raises HarnessError for a named one that lacks its input.
    """
    has_text = any(each.text is not None for each in corpus.utterances)
    known = [*entries(), *own_names(options.models)]
    if options.metrics is None:
        return tuple(
            name
            for name in known
            if (spec := entry(name)).condition is None
            and not _lacks(spec, options, corpus, has_text=has_text)
        )
    for name in options.metrics:
        spec = entry(name)
        lacking = _lacks(spec, options, corpus, has_text=has_text)
        if lacking:
            raise HarnessError(f"metric {name!r} {lacking}")
    wanted = {*options.metrics, DURATION}
    return tuple(name for name in known if name in wanted)


def _told(names: Sequence[str], options: ScoreOptions) -> tuple[str, ...]:
    """Return the metrics to report: all, or those that were asked for."""
    return tuple(name for name in names if options.metrics is None or name in options.metrics)


def _lacks(
    spec: MetricSpec, options: ScoreOptions, corpus: RecordedCorpus, *, has_text: bool
) -> str:
    """Return what a metric needs and a folder of recordings lacks; empty where it has all."""
    if spec.metric in SPEED:
        return "is of speed, of which recordings tell nothing; name metrics of audio"
    if spec.golden:
        return f"compares with accepted audio; name {spec.base} and give --reference FOLDER"
    if _reads_text(spec.name) and not has_text:
        return "needs the texts of the recordings; give --texts FILE"
    if spec.own_model and spec.own_model not in options.models:
        return f"is of a network of your own; give --model {spec.own_model}=FILE"
    need = Need.NOTHING if spec.source is None else spec.source.need
    if need.value in REFERENCES and not corpus.references:
        return "compares with other recordings; give --reference FOLDER"
    if need is Need.VOICE and options.voice is None:
        return "compares with a recording of the voice; give --voice FILE"
    known = (Need.NOTHING.value, Need.VOICE.value, *REFERENCES)
    return "" if need.value in known else f"needs {need.value}, which only a run of a suite has"


def _reads_text(name: str) -> bool:
    source = entry(name).source
    return needs_asr(name) or (source is not None and source.reads_text)


def _scored(
    corpus: RecordedCorpus, names: Sequence[str], options: ScoreOptions
) -> dict[str, UtteranceScores]:
    """Score the recordings with a text, and those without one by the metrics that need none."""
    spoken = [each for each in corpus.utterances if each.text is not None]
    mute = [each for each in corpus.utterances if each.text is None]
    scored: dict[str, UtteranceScores] = {}
    for group, metrics in ((spoken, names), (mute, [n for n in names if not _reads_text(n)])):
        if group:
            scored |= score_quality(
                [_job(each, options) for each in group],
                cache_dir=default_cache_dir(),
                judge=options.judge,
                metrics=metrics,
                workers=options.workers,
                progress=options.progress,
                on_plan=options.on_plan,
            )
    unheard = {name: NO_TEXT for name in names if _reads_text(name)}
    for each in mute:
        scored[each.name] = replace(
            scored[each.name], values={**scored[each.name].values, **unheard}
        )
    return scored


def _job(utterance: CorpusRecording, options: ScoreOptions) -> AudioJob:
    return AudioJob(
        key=utterance.name,
        utterance=utterance.name,
        path=utterance.path,
        text="" if utterance.text is None else utterance.text.text,
        spoken="" if utterance.text is None else utterance.text.spoken,
        language=_language(utterance, options),
        reference=utterance.reference,
        voice=options.voice,
        models=located(options.models),
    )


def _language(utterance: CorpusRecording, options: ScoreOptions) -> str:
    return (utterance.text.language if utterance.text is not None else "") or options.language


def _utterance(
    utterance: CorpusRecording, scores: UtteranceScores, options: ScoreOptions
) -> ScoredUtterance:
    header, duration = utterance.header, scores.values.get(DURATION, NOT_SCORED)
    return ScoredUtterance(
        name=utterance.name,
        text="" if utterance.text is None else utterance.text.text,
        spoken="" if utterance.text is None else utterance.text.spoken,
        language=_language(utterance, options),
        audio_s=0.0 if header is None else header.duration_s,
        heard=scores.transcript if isinstance(scores.transcript, str) else "",
        problem=duration.reason if isinstance(duration, Missing) else "",
    )


def _measurement(
    name: str, versions: Mapping[str, str], scored: Mapping[str, UtteranceScores]
) -> Measurement:
    metric = entry(name).metric
    return Measurement(
        metric=name,
        unit=metric.unit,
        better=metric.better,
        version=versions.get(name) or full_version(name),
        values=tuple(
            UtteranceValue(id=key, value=scores.values[name])
            for key, scores in scored.items()
            if name in scores.values
        ),
        summary=NOT_SCORED,
    )


def _helpers(
    names: Iterable[str], scored: Mapping[str, UtteranceScores]
) -> tuple[Measurement, ...]:
    """Return the weights of the rates: words and characters of each text."""
    needed = {WEIGHTS[name] for name in names if name in WEIGHTS}
    return tuple(
        Measurement(
            metric=helper.name,
            unit=helper.unit,
            better=helper.better,
            version=helper.version,
            values=_counts(helper.name, scored),
            summary=NOT_SCORED,
        )
        for helper in HELPERS
        if helper.name in needed
    )


def _counts(helper: str, scored: Mapping[str, UtteranceScores]) -> tuple[UtteranceValue, ...]:
    counts = {key: scores.counts[helper] for key, scores in scored.items()}
    return tuple(
        UtteranceValue(
            id=key,
            value=float(count.reference_words) if isinstance(count, ErrorCounts) else count,
        )
        for key, count in counts.items()
    )


def _versions(
    scored: Mapping[str, UtteranceScores], corpus: RecordedCorpus, options: ScoreOptions
) -> dict[str, str]:
    """
    Return each metric's version; that of a comparison names the recordings that it compares with.
    """
    needs = {
        **dict.fromkeys(REFERENCES, ("references", corpus.references)),
        Need.VOICE.value: ("voice", () if options.voice is None else (options.voice,)),
    }
    digests = {need: f"{what} {_digest(files)}" for need, (what, files) in needs.items() if files}
    versions = versions_of(scored.values())
    for name in versions:
        source = entry(name).source
        further = "" if source is None else digests.get(source.need.value, "")
        versions[name] = "; ".join(filter(None, (versions[name], further)))
    return versions


def _digest(files: Sequence[Path]) -> str:
    try:
        return files_sha256(*files)[:8]
    except OSError as error:
        raise HarnessError(f"cannot read {error.filename}: {error.strerror}") from error
