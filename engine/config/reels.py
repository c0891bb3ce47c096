"""
The rules of reels that hold before a model is loaded: which pipelines speak them, what a segment
may ask of one, and the pause.
"""

from collections.abc import Mapping, Sequence

from voxgate.engine.config.choices import Language
from voxgate.engine.config.option_spec import (
    PipelineConfig,
    config_class,
    config_names,
    options_of,
    parse,
)
from voxgate.engine.errors import EngineError
from voxgate.engine.text.checks import TextError
from voxgate.engine.text.frontend import phonemise
from voxgate.engine.text.reel_script import ReelSegment

SPEAKER = "speaker"
PAUSE_S = 0.25
"""Between two segments, besides the silence at their own ends."""
LONGEST_PAUSE_S = 10.0


def speaks_reels(config: type[PipelineConfig]) -> bool:
    """Return whether a pipeline speaks texts, and its speaker is an option of a request."""
    spec = options_of(config).get(SPEAKER)
    return not config.converts and spec is not None and spec.per_request


def reel_pipelines() -> tuple[str, ...]:
    """Return the names of the pipelines that speak reels."""
    return tuple(name for name in config_names() if speaks_reels(config_class(name)))


def check_speaks_reels(config: type[PipelineConfig]) -> None:
    """Raise EngineError for a pipeline that speaks no reels."""
    if not speaks_reels(config):
        raise EngineError(
            f"pipeline {config.pipeline} has no option {SPEAKER} of a request, so it speaks no "
            f"reels; use {' or '.join(reel_pipelines())}"
        )


def check_segments(
    config: type[PipelineConfig],
    segments: Sequence[ReelSegment],
    where: str = "",
    options: Mapping[str, object] | None = None,
) -> None:
    """
    Raise EngineError, with the segment's number behind `where`, for an unknown speaker and for a
    text that cannot be spoken. Of the `options` of all segments the language counts.
    """
    context = {name: value for name, value in (options or {}).items() if name in config.context}
    language = str(context.get("language", Language.EN))
    for number, segment in enumerate(segments, start=1):
        try:
            parse(config, {**context, SPEAKER: segment.speaker})
            phonemise(segment.text, language=language)
        except TextError as error:
            raise error.at(f"{where}segment {number}") from None
        except EngineError as error:
            raise EngineError(f"{where}segment {number}: {error}") from None


def check_pause(pause_s: float) -> None:
    """Raise EngineError for a pause that cannot be meant."""
    if not 0.0 <= pause_s <= LONGEST_PAUSE_S:
        raise EngineError(f"pause must be 0 to {LONGEST_PAUSE_S:g} seconds, not {pause_s:g}")
