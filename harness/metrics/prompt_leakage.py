"""
Prompt leakage: the end of the voice prompt, audible at the start of the synthesised speech.

Engines that continue a recorded prompt cut the prompt off afterwards, and a cut in the wrong place
leaves its last sounds in. Detected by comparing the beginning of the speech with the end of the
prompt; another utterance of the same speaker is not alike.
"""

import numpy as np

from voxgate.harness.audio.activity import speech_level
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.audio.self_similarity import (
    HOP_S,
    Places,
    SelfSimilarity,
    part,
    pattern,
    stretches,
)
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.records.measurement import Metric, Missing, Value

SHORTEST_S, LONGEST_S = 0.15, 2.0
SLACK = 8  # rows by which either edge of the speech may be misjudged
EDGE = 4  # rows at the end of the leak whose analysis window already covers the speech
SOUND_DB = -35.0  # of the loudest bin: where the speech begins and the prompt ends
# The beginnings of other utterances reach 0.89 (embedded voice, 574 pairs) and 0.83 (flite's slt,
# 398); a copied end 0.99.
ALIKE = 0.95


def prompt_leakage_s(inputs: MetricInput) -> Value:
    """
    Return the seconds of the prompt's end at the start of the audio, 0.0 for none.

    Missing where either is silent.
    """
    assert inputs.voice is not None, "the metric needs a voice"
    for name, recording in (
        ("the audio", inputs.audio),
        ("the recording of the voice", inputs.voice),
    ):
        fault = check_valid(recording)
        if fault is not None:
            return Missing(f"{name}: {fault.reason}", fault.kind)
        if speech_level(recording) == 0.0:
            return Missing(f"{name} is silent")
    return _longest(_audible(inputs.audio), _audible(inputs.voice)) * HOP_S


def _longest(speech: SelfSimilarity, prompt: SelfSimilarity) -> int:
    """
    Return the rows of the longest leak, edges being SLACK; or 0.

    A leak is a stretch from the start of the speech that is like the end of `prompt`.
    """
    common = min(len(speech.change), len(prompt.change))
    shortest, longest = round(SHORTEST_S / HOP_S), min(round(LONGEST_S / HOP_S), common)
    longest_leak = 0
    for overlap in range(min(longest + SLACK, common), shortest - SLACK - 1, -1):
        if longest_leak >= overlap + SLACK:
            break  # all further overlaps are shorter
        ending = part(prompt, len(prompt.change) - overlap, len(prompt.change))
        rows = _alike(part(speech, 0, overlap), ending)
        longest_leak = max([longest_leak, *rows[(rows >= shortest) & (rows <= longest)].tolist()])
    return longest_leak


def _alike(beginning: SelfSimilarity, ending: SelfSimilarity) -> Places:
    """
    Return the lengths at which two patterns of as many rows, laid upon each other, are a leak.

    Shape [0 to 2 SLACK + 1]. A leak that is shorter than the overlap by `late` rows begins so
    much after the first row of both; one that is longer was cut at both ends.
    """
    overlap = len(beginning.change)
    late = np.arange(-SLACK, SLACK + 1)
    first = np.maximum(late, 0)
    last = overlap - first - EDGE
    long_enough = last > first
    late, first, last = (values[long_enough] for values in (late, first, last))
    return (
        np.asarray(overlap - late[stretches(beginning, ending, first, last) > ALIKE])
        if late.size
        else late
    )


def _audible(recording: Recording) -> SelfSimilarity:
    """Return the pattern from the first audible row to the last; empty where none is."""
    whole = recording.once(pattern)
    loud = np.flatnonzero(whole.levels_db.max(axis=1) > SOUND_DB)
    return part(whole, int(loud[0]), int(loud[-1]) + 1) if loud.size else part(whole, 0, 0)


SNIPPET_S = 0.4
"""Other beginnings reach 0.88 (180 pairs of six voices, 0.4 s); at 0.3 s one reaches 0.975."""
SNIPPET_STEP_S = 0.1
SEARCHED_S = 30.0
"""Of a longer prompt its last seconds: those are what an engine continues."""


def prompt_snippet_s(inputs: MetricInput) -> Value:
    """
    Return the seconds of the speech's beginning that are somewhere in the prompt, from SNIPPET_S on
    in steps of 0.1 s up to LONGEST_S; 0.0 for none. Of a long prompt the last SEARCHED_S count.

    Missing where either is silent.
    """
    ending = prompt_leakage_s(inputs)  # says what is missing
    if isinstance(ending, Missing):
        return ending
    assert inputs.voice is not None, "the metric needs a voice"
    speech, prompt = _audible(inputs.audio), _audible(inputs.voice)
    frames = len(prompt.change)
    prompt = part(prompt, max(0, frames - round(SEARCHED_S / HOP_S)), frames)
    most = min(len(speech.change), len(prompt.change), round(LONGEST_S / HOP_S))
    rows, longest, step = round(SNIPPET_S / HOP_S), 0, round(SNIPPET_STEP_S / HOP_S)
    starts: Places = np.arange(len(prompt.change))
    while rows <= most:
        beginning = part(speech, 0, rows)
        starts = starts[starts + rows <= len(prompt.change)]
        starts = starts[[_is_alike(beginning, prompt, int(start), rows) for start in starts]]
        if not starts.size:
            break
        longest, rows = rows, rows + step
    return longest * HOP_S


def _is_alike(beginning: SelfSimilarity, prompt: SelfSimilarity, start: int, rows: int) -> bool:
    first, last = np.array([0]), np.array([rows - EDGE])
    return bool(stretches(beginning, part(prompt, start, start + rows), first, last)[0] > ALIKE)


METRICS = (
    AudioMetric(
        metric=Metric(name="reference_spill", unit="s", better="lower", version="1"),
        score=prompt_leakage_s,
        need=Need.VOICE,
    ),
    AudioMetric(
        metric=Metric(name="reference_snippet", unit="s", better="lower", version="1"),
        score=prompt_snippet_s,
        need=Need.VOICE,
    ),
)
