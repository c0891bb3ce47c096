"""
Admission without HTTP: limits, interleaving, one call of the engine at a time, and bit-exact audio.
"""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.engine.serve.fakes import FakeBatcher
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.pipeline import AudioSegment
from voxgate.engine.serve.admission import AdmissionController
from voxgate.engine.serve.errors import ApiError
from voxgate.engine.serve.limits import Limits
from voxgate.engine.serve.request import SpeechRequest
from voxgate.engine.serve.response import AudioFormat

ENOUGH_S = 20.0
PIECES = 3
RATE_HZ = 1000
LONG = (
    "The last bus leaves in 5 minutes, so hurry up. Have you ever been to the mountains in winter? "
    "He cut the bread into thick slices, put the butter on the table, and called the children in "
    "from the garden to eat. "
)


class Teller:
    """
    Speaks its text's length, one second a piece, once `may` is set; tells in which order, and if it
    was called by two.
    """

    sample_rate_hz = RATE_HZ

    def __init__(self):
        self.may, self.order, self.threads = threading.Event(), [], set()
        self._one = threading.Lock()

    def segments(self, text, options=None):
        for number in range(PIECES):
            yield AudioSegment(audio=self._spoken(f"{text}{number}"), last=number == PIECES - 1)

    def synthesize_batch(self, texts, options=None):
        self._spoken("+".join(texts))
        return [np.full(PIECES * RATE_HZ, len(text), np.float32) for text in texts]

    def _spoken(self, what):
        assert self._one.acquire(blocking=False), "two threads call the engine"
        self.may.wait(ENOUGH_S)
        self.order.append(what)
        self.threads.add(threading.current_thread().name)
        self._one.release()
        return np.full(RATE_HZ, len(what), np.float32)


def speech(text, **options):
    return SpeechRequest(text=text, options=options, audio_format=AudioFormat.WAV, streamed=True)


def ignore(_audio):
    pass


@pytest.fixture(name="open_admission")
def _open_admission():
    """Open admission controllers under a clock that stands still, and close them."""
    opened = []

    def open_admission(speaker, **limits):
        opened.append(
            (
                admission := AdmissionController(
                    speaker, Limits(**limits), FakeBatcher, lambda: 0.0
                ),
                speaker,
            )
        )
        return admission

    yield open_admission
    for admission, speaker in opened:
        if isinstance(speaker, Teller):
            speaker.may.set()
        admission.close()


def test_streams_take_turns(open_admission):
    teller = Teller()
    admission = open_admission(teller)
    orders = [admission.submit_stream(speech(text), ignore) for text in "abc"]
    teller.may.set()
    for order in orders:
        order.future.result(ENOUGH_S)

    assert teller.order == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


def test_a_place_is_free_with_the_last_piece(open_admission):
    teller = Teller()
    admission = open_admission(teller, queue=2)
    free = []
    order = admission.submit_stream(speech("a"), lambda _audio: free.append(admission.in_flight))
    other = admission.submit_stream(speech("b"), ignore)
    with pytest.raises(ApiError, match="2 requests are inside"):
        admission.submit_stream(speech("c"), ignore)
    teller.may.set()
    order.future.result(ENOUGH_S)
    other.future.result(ENOUGH_S)

    admission.close()
    assert free == [2, 2, 2] and admission.in_flight == 0 and teller.order[-1] == "b2"


def test_who_leaves_between_two_of_his_pieces_frees_his_place_before_the_next_turn(open_admission):
    teller = Teller()
    admission, places = open_admission(teller), []
    orders = {}

    def after_b(_audio):
        places.append(admission.in_flight)
        if len(places) == 1:
            orders["a"].cancel()

    orders["a"] = admission.submit_stream(speech("a"), ignore)
    orders["b"] = admission.submit_stream(speech("b"), after_b)
    teller.may.set()
    orders["b"].future.result(ENOUGH_S)

    assert teller.order == ["a0", "b0", "b1", "b2"]
    assert places == [2, 1, 1] and orders["a"].future.done()


def test_one_thread_calls_the_engine_one_call_at_a_time_whoever_asks(open_admission):
    teller = Teller()
    admission = open_admission(teller, window_ms=1, queue=64)
    teller.may.set()

    def ask(number):
        order = (
            admission.submit(speech(f"w{number}"))
            if number % 2
            else admission.submit_stream(speech(f"s{number}"), ignore)
        )
        return order.future.result(ENOUGH_S)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(32)))

    assert teller.threads == {"engine"}
    assert [None if answer is None else answer[0] for answer in answers[:4]] == [
        None,
        2.0,
        None,
        2.0,
    ]


def test_the_end_finishes_all_that_was_let_in_and_lets_nothing_more_in(open_admission):
    teller = Teller()
    admission = open_admission(teller)
    heard = []
    streams = [admission.submit_stream(speech(text), heard.append) for text in "abc"]
    wholes = [admission.submit(speech(text)) for text in ("xx", "yyy")]
    closing = threading.Thread(target=admission.close)
    closing.start()
    teller.may.set()
    closing.join(ENOUGH_S)

    assert not closing.is_alive() and len(heard) == 3 * PIECES and admission.in_flight == 0
    assert all(order.future.done() and order.future.exception() is None for order in streams)
    assert [order.future.result(0)[0] for order in wholes] == [2.0, 3.0]
    with pytest.raises(EngineError, match="is closed"):
        admission.submit_stream(speech("late"), ignore)
    assert admission.in_flight == 0


def test_who_cannot_take_his_audio_any_more_disturbs_nobody(open_admission):
    teller = Teller()
    admission = open_admission(teller)

    def broken(_audio):
        raise RuntimeError("the event loop is closed")

    order, other = (
        admission.submit_stream(speech("a"), broken),
        admission.submit_stream(speech("b"), ignore),
    )
    teller.may.set()
    other.future.result(ENOUGH_S)

    assert str(order.future.exception(ENOUGH_S)) == "the event loop is closed"
    admission.close()
    assert teller.order == ["a0", "b0", "b1", "b2"] and admission.in_flight == 0


@pytest.mark.parametrize("sizes", [{}, {"batch": 2}, {"first_chunk_characters": 30}], ids=str)
def test_texts_that_take_turns_sound_as_each_does_alone_to_the_bit(
    make_pipeline, open_admission, sizes
):
    pipeline = make_pipeline(nfe_steps=2, **sizes)
    asked = [("slt", 3, LONG * 2), ("rms", 4, LONG), ("awb", 5, "Well. " + LONG * 2)]
    admission, began, order = open_admission(pipeline), threading.Event(), []
    heard = [[] for _ in asked]

    def give(index):
        def take(audio):
            began.wait(ENOUGH_S)
            order.append(index)
            heard[index].append(audio)

        return take

    orders = [
        admission.submit_stream(speech(text, speaker=speaker, seed=seed), give(index))
        for index, (speaker, seed, text) in enumerate(asked)
    ]
    began.set()
    for each in orders:
        each.future.result(ENOUGH_S)

    assert len(list(itertools.groupby(order))) > len(asked)  # they did take turns
    for (speaker, seed, text), audios in zip(asked, heard, strict=True):
        assert np.array_equal(
            np.concatenate(audios), pipeline.synthesize(text, {"speaker": speaker, "seed": seed})
        )
