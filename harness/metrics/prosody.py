"""
Prosody: whether a question rises, range and height of the pitch, speech rate, pauses, emphasis.

None of these is better when larger, but for the rise of a question; they are read as differences on
the same text. Pitch by `audio/pitch.py`, pauses by `audio/activity.py`, both of which derive their
limits from the recording itself; levels play no part. Text counts as its letters and digits: no
recogniser and no dictionary stands between the audio and the number.

A word of a Spanish text is located by its phones (`audio/phone_alignment.py`), one of another
language by its share of the text's letters and digits, pauses left out. Compared with flite's own
timing (280 words of four letters and more, 60 sentences, slt, rms, awb): the middle is off by 97 ms
in the median and by 236 ms in one of ten, where a word lasts 420 ms; 72 % of the window is the
word. By syllables it was worse (105 and 271 ms). Enough for a peak of pitch, not for where a word
begins.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio import activity, pitch
from voxgate.harness.audio.activity import Activity
from voxgate.harness.audio.phone_alignment import PhoneTime, align_phones
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.spanish_phones import SPANISH, phones_of, spanish_words
from voxgate.harness.metrics.metric import AudioMetric, MetricInput, Need
from voxgate.harness.records.cell import primary_language
from voxgate.harness.records.measurement import Metric, Missing, Value
from voxgate.harness.suite.workload import ABBREVIATIONS

END_S = 0.120
"""
Voiced speech before the end: steadier than a slope, which one wrong frame tilts by many semitones
per second.
"""
LEAST_S = 0.25
"""Voiced speech without which there is nothing to call an end, a median or a range."""
LEAST_OF_A_WORD_S = 0.05
PEAK_PERCENTILE = 90.0
MARK = re.compile(
    r"""[,;:.!?\u2026]+["')\]\u00bb\u201d\u2019]*(?=\s)"""
    r"|(?<=\s)[-\u2013]+(?=\s)|\u2014|[()\u3001\u3002\uff0c\uff1b\uff1a\uff01\uff1f]"
)
"""Punctuation at which readers pause, and no point of "3.5"; the point of "Mr. X" is none."""
POINTS = rf"{ABBREVIATIONS}|\b[A-Z]\.(?=\s+[A-Z])"
"""What ends in a point that ends no sentence: abbreviations and initials."""
NEAR_S = 0.4
"""
Seconds of speech between a mark and its pause. Marks are placed by letters, and a word is.
"""


def question_rise(inputs: MetricInput) -> Value:
    """
    Return by how many semitones the question ends higher than the same words said as a
    statement.

    It is the difference of their `end_level`. A single sentence proves nothing: its words
    decide where its pitch ends. The same words said twice leave only the question. Yes/no
    questions rise, questions with "what" and "who" mostly do not (Syrdal and Jilka 2003). The
    embedded voice rises by 3.3 semitones (16 pairs, NFE 32; from 0.3 to 6.3), and with other
    noise by 2.2 to 2.8.
    """
    assert inputs.statement is not None, "the scorer gives the statement"
    asked, stated = (_end_level(recording) for recording in (inputs.audio, inputs.statement))
    if isinstance(stated, Missing):
        return Missing(f"the statement: {stated.reason}", stated.kind)
    return asked if isinstance(asked, Missing) else asked - stated


def end_level(inputs: MetricInput) -> Value:
    """
    Return the median pitch of the last 120 ms that are voiced, in semitones above the overall
    median.
    """
    return _end_level(inputs.audio)


def pitch_range(inputs: MetricInput) -> Value:
    """
    Return 12 log2(p95 / p5) of the voiced pitch: semitones between high and low, without
    extremes.
    """
    voiced = _voiced(inputs.audio)
    if isinstance(voiced, Missing):
        return voiced
    low, high = np.percentile(voiced, [5.0, 95.0])
    return float(high - low)


def pitch_median(inputs: MetricInput) -> Value:
    """Return the median of the voiced pitch in Hz."""
    voiced = _voiced(inputs.audio)
    return voiced if isinstance(voiced, Missing) else float(2.0 ** (np.median(voiced) / 12.0))


def speech_rate(inputs: MetricInput) -> Value:
    """
    Return letters and digits of the text per second of speech, without pauses (an articulation
    rate).
    """
    spoken = _letters(inputs.words)
    if not spoken:
        return Missing("the text has no letter and no digit")
    speech = inputs.audio.once(activity.segments)
    return speech if isinstance(speech, Missing) else spoken / speech.speech_s


def pause_count(inputs: MetricInput) -> Value:
    """Count the silences of at least 150 ms inside the speech."""
    speech = inputs.audio.once(activity.segments)
    return speech if isinstance(speech, Missing) else float(len(speech.pauses))


def longest_pause(inputs: MetricInput) -> Value:
    """
    Return the seconds of the longest silence inside the speech; 0.0 where there is none of 150
    ms.
    """
    speech = inputs.audio.once(activity.segments)
    return (
        speech
        if isinstance(speech, Missing)
        else max((to - since for since, to in speech.pauses), default=0.0)
    )


def pause_share(inputs: MetricInput) -> Value:
    """Return the share of pauses between the first sound and the last, 0 to 1."""
    speech = inputs.audio.once(activity.segments)
    return (
        speech if isinstance(speech, Missing) else speech.pauses_s / (speech.end_s - speech.start_s)
    )


def pause_f1(inputs: MetricInput) -> Value:
    """
    Return how well the pauses of at least 150 ms agree with the punctuation inside the text: F1,
    and 1.0 where there is neither.

    Each mark is expected at its share of the letters, pauses left out; a pause meets it where it
    stands within NEAR_S of speech from there, and each meets one at most.
    """
    places = _marks_and_pauses(inputs)
    if isinstance(places, Missing):
        return places
    marks_s, pauses_s = places
    if not marks_s and not pauses_s:
        return 1.0
    return 2.0 * _met(marks_s, pauses_s) / (len(marks_s) + len(pauses_s))


def pause_precision(inputs: MetricInput) -> Value:
    """Return the share of the pauses that stand at punctuation; 1.0 where there is no pause."""
    places = _marks_and_pauses(inputs)
    if isinstance(places, Missing):
        return places
    marks_s, pauses_s = places
    return _met(marks_s, pauses_s) / len(pauses_s) if pauses_s else 1.0


def pause_recall(inputs: MetricInput) -> Value:
    """Return the share of the punctuation at which there is a pause; 1.0 where there is none."""
    places = _marks_and_pauses(inputs)
    if isinstance(places, Missing):
        return places
    marks_s, pauses_s = places
    return _met(marks_s, pauses_s) / len(marks_s) if marks_s else 1.0


def _marks_and_pauses(inputs: MetricInput) -> tuple[list[float], list[float]] | Missing:
    """Return where marks are expected and pauses are, in seconds of speech without its pauses."""
    speech = inputs.audio.once(activity.segments)
    if isinstance(speech, Missing):
        return speech
    if not _letters(inputs.words):
        return Missing("the text has no letter and no digit")
    marks_s = [share * speech.speech_s for share in marked_shares(inputs.words)]
    before = 0.0
    pauses_s = []
    for start, end in speech.pauses:
        pauses_s.append(start - speech.start_s - before)
        before += end - start
    return marks_s, pauses_s


def _met(marks_s: Sequence[float], pauses_s: Sequence[float]) -> int:
    """Count the pairs of a mark and a pause near it; both are in order, and each is in one pair."""
    mark = pause = met = 0
    while mark < len(marks_s) and pause < len(pauses_s):
        apart_s = pauses_s[pause] - marks_s[mark]
        near = abs(apart_s) <= NEAR_S
        met, mark, pause = met + near, mark + (near or apart_s > 0), pause + (near or apart_s < 0)
    return met


def marked_shares(text: str) -> list[float]:
    """
    Return where the marks of MARK stand inside a text, as shares of its letters and digits.

    >>> [round(share, 2) for share in marked_shares("Yes, I am. Mr. X said: no")]
    [0.2, 0.4, 0.87]
    """
    whole = _letters(text)
    plain = re.sub(POINTS, lambda match: match.group().replace(".", " "), text)
    shares = {_letters(text[: match.start()]) / whole for match in MARK.finditer(plain)}
    return sorted(share for share in shares if 0.0 < share < 1.0)


def emphasis_prominence(inputs: MetricInput) -> Value:
    """
    Return how far the pitch peaks (p90) in the emphasised word above the median elsewhere, in
    semitones.

    The word's place in the sentence counts too, so the value means something only as a difference
    on one text. Of 24 words raised by 3 semitones and 3 dB 96 % gained more than one semitone;
    where a neighbour was raised instead, 8 % did.
    """
    track = inputs.audio.once(pitch.track)
    if isinstance(track, Missing):
        return track
    place = _place(inputs)
    return place if isinstance(place, Missing) else _prominence(track, *place)


def emphasis_level(inputs: MetricInput) -> Value:
    """
    Return by how many dB the loud part (p90) of the emphasised word is louder than that of the
    rest. Less sensitive than the pitch (88 % of the same words).
    """
    level_db, place = inputs.audio.once(activity.levels), _place(inputs)
    if isinstance(level_db, Missing):
        return level_db
    if isinstance(place, Missing):
        return place
    frame_s = activity.frame_length(inputs.audio.rate_hz) / inputs.audio.rate_hz
    times_s = np.arange(len(level_db)) * frame_s
    within = (times_s >= place[0]) & (times_s < place[1])
    if not within.any() or within.all():
        return Missing("the word has no frame of its own")
    word, rest = (np.percentile(level_db[each], PEAK_PERCENTILE) for each in (within, ~within))
    return float(word - rest)


def emphasis_length(inputs: MetricInput) -> Value:
    """
    Return how long a phone of the emphasised word lasts by one of the other words, in Spanish,
    where phones are located.
    """
    assert inputs.emphasis is not None, "the scorer gives the word"
    if primary_language(inputs.language) != SPANISH:
        return Missing("words are measured in Spanish alone; elsewhere they are only placed")
    times = _aligned(inputs)
    if isinstance(times, Missing):
        return times
    index = _index_of(inputs.emphasis, inputs.text)
    own = [time.end_s - time.start_s for time in times if time.word == index]
    rest = [time.end_s - time.start_s for time in times if time.word != index]
    if not own or not rest:
        return Missing(f"{inputs.emphasis!r} cannot be told from the rest of the text")
    return float(np.mean(own) / np.mean(rest))


def _place(inputs: MetricInput) -> tuple[float, float] | Missing:
    """Return begin and end of the emphasised word: by its phones, or by its share of letters."""
    assert inputs.emphasis is not None, "the scorer gives the word"
    spoken = inputs.audio.once(activity.segments)
    if isinstance(spoken, Missing):
        return spoken
    if primary_language(inputs.language) == SPANISH:
        times, index = _aligned(inputs), _index_of(inputs.emphasis, inputs.text)
        own = () if isinstance(times, Missing) else [each for each in times if each.word == index]
        if own:
            return own[0].start_s, own[-1].end_s
    return locate_word(inputs.emphasis, inputs.text, spoken)


def _aligned(inputs: MetricInput) -> tuple[PhoneTime, ...] | Missing:
    words = spanish_words(inputs.text)
    return align_phones(inputs.audio, [phones_of(word) for word in words])


def _index_of(word: str, text: str) -> int:
    """Return which word of the text it is, -1 where it is none."""
    words, wanted = spanish_words(text), spanish_words(word)[:1]
    return words.index(wanted[0]) if wanted and wanted[0] in words else -1


def _prominence(track: pitch.PitchTrack, start_s: float, end_s: float) -> Value:
    smoothed = track.smoothed
    voiced, within = smoothed > 0.0, (track.times_s >= start_s) & (track.times_s <= end_s)
    word, elsewhere = smoothed[voiced & within], smoothed[voiced & ~within]
    if len(word) < LEAST_OF_A_WORD_S / pitch.HOP_S or len(elsewhere) < LEAST_S / pitch.HOP_S:
        word_s, elsewhere_s = len(word) * pitch.HOP_S, len(elsewhere) * pitch.HOP_S
        return Missing(
            f"only {word_s:.2f} s of the word and {elsewhere_s:.2f} s beside it are voiced"
        )
    return float(12.0 * np.log2(np.percentile(word, PEAK_PERCENTILE) / np.median(elsewhere)))


def _end_level(recording: Recording) -> Value:
    voiced = _voiced(recording)
    if isinstance(voiced, Missing):
        return voiced
    return float(np.median(voiced[-round(END_S / pitch.HOP_S) :]) - np.median(voiced))


def _voiced(recording: Recording) -> NDArray[np.float64] | Missing:
    """Return the smoothed pitch of the voiced frames alone, in semitones above 1 Hz, shape [k]."""
    track = recording.once(pitch.track)
    if isinstance(track, Missing):
        return track
    smoothed = track.smoothed
    voiced = smoothed[smoothed > 0.0]
    if len(voiced) < LEAST_S / pitch.HOP_S:
        return Missing(f"only {len(voiced) * pitch.HOP_S:.2f} s of it are voiced")
    return np.asarray(12.0 * np.log2(voiced))


def _metric(name: str, unit: str) -> Metric:
    """Describe a metric without a better direction: any change counts."""
    return Metric(name=name, unit=unit, better="neither", version="1")


METRICS: tuple[AudioMetric, ...] = (
    AudioMetric(
        metric=Metric(name="question_rise", unit="semitones", better="higher", version="1"),
        score=question_rise,
        need=Need.STATEMENT,
        package=pitch.PACKAGE,
    ),
    AudioMetric(metric=_metric("end_level", "semitones"), score=end_level, package=pitch.PACKAGE),
    AudioMetric(
        metric=_metric("pitch_range", "semitones"), score=pitch_range, package=pitch.PACKAGE
    ),
    AudioMetric(metric=_metric("pitch_median", "Hz"), score=pitch_median, package=pitch.PACKAGE),
    AudioMetric(
        metric=Metric(name="emphasis_prominence", unit="semitones", better="neither", version="2"),
        score=emphasis_prominence,
        need=Need.EMPHASIS,
        package=pitch.PACKAGE,
    ),
    AudioMetric(metric=_metric("emphasis_level", "dB"), score=emphasis_level, need=Need.EMPHASIS),
    AudioMetric(metric=_metric("emphasis_length", "1"), score=emphasis_length, need=Need.EMPHASIS),
    AudioMetric(
        metric=Metric(name="speech_rate", unit="1/s", better="neither", version="2"),
        score=speech_rate,
        reads_text=True,
    ),
    AudioMetric(metric=_metric("pause_count", "1"), score=pause_count),
    AudioMetric(metric=_metric("longest_pause", "s"), score=longest_pause),
    AudioMetric(metric=_metric("pause_share", "1"), score=pause_share),
    AudioMetric(
        metric=Metric(name="pause_f1", unit="1", better="higher", version="1"),
        score=pause_f1,
        reads_text=True,
    ),
    *(
        AudioMetric(
            metric=Metric(name=name, unit="1", better="higher", version="1"),
            score=score,
            reads_text=True,
        )
        for name, score in (("pause_precision", pause_precision), ("pause_recall", pause_recall))
    ),
)


def locate_word(word: str, text: str, spoken: Activity) -> tuple[float, float] | Missing:
    """Locate the first `word` of `text`, in any case; return its begin and end in seconds."""
    match = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE)
    if match is None or not _letters(word):
        return Missing(f"{word!r} is no word of the text")
    before, through = _letters(text[: match.start()]), _letters(text[: match.end()])
    return _moment(before / _letters(text), spoken), _moment(through / _letters(text), spoken)


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def _moment(share: float, spoken: Activity) -> float:
    """
    Return the seconds from the start of the recording to where that share of the speech is
    over.
    """
    since, left = spoken.start_s, share * spoken.speech_s
    for start, end in spoken.pauses:
        if left <= start - since:
            break
        since, left = end, left - (start - since)
    return since + left
