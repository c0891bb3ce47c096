"""Chunks that are spoken at the same time: the pool alone, and a pipeline that has one."""

import gc
import threading
import weakref
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from tests.engine.pipelines.test_streaming import LONG, TOLERANCE, largest_difference
from voxgate.engine.config import parse_options
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines import batching as module
from voxgate.engine.pipelines.batching import AHEAD, Workers
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.timing import StageTimes

pytestmark = pytest.mark.timeout(120)  # who waits for ever here has found a fault
LONG_S = 60.0
"""Nothing here waits so long, unless it fails."""
CHUNKS = "One, two, three and four were all that he counted that day. " * 6
FEW = ("Hello.", LONG)


@pytest.fixture(name="workers")
def _workers():
    """Two threads that compute with one each; this thread has two, as nobody else uses."""
    before = torch.get_num_threads()
    yield Workers(2, 1, 2)
    torch.set_num_threads(before)


def _pairs_meet():
    """Work that is done only when two are at it at once."""
    met = threading.Barrier(2, timeout=LONG_S)

    def speak(part):
        met.wait()
        return part, threading.get_ident()

    return speak


def _threads_of_workers():
    return {thread for thread in threading.enumerate() if thread.name.startswith("worker")}


def test_results_come_in_order_and_two_are_at_work_at_once(workers):
    results = list(workers.in_order(_pairs_meet(), iter(range(6)), first_alone=False))

    assert [part for part, _ in results] == list(range(6))
    assert len({thread for _, thread in results}) == 2
    assert threading.get_ident() not in {thread for _, thread in results}


def test_the_first_is_given_while_its_neighbours_still_work(workers):
    go = threading.Event()
    stream = workers.in_order(
        lambda part: part if part == 0 else (go.wait(LONG_S), part)[1],
        iter(range(3)),
        first_alone=False,
    )

    assert next(stream) == 0
    go.set()
    assert list(stream) == [1, 2]


def test_a_first_alone_is_spoken_here_before_anything_else_begins(workers):
    begun = []
    stream = workers.in_order(
        lambda part: begun.append((part, threading.get_ident())), iter(range(4)), first_alone=True
    )
    next(stream)

    assert begun == [(0, threading.get_ident())]
    list(stream)
    assert sorted(part for part, _ in begun) == [0, 1, 2, 3]
    assert threading.get_ident() not in {thread for part, thread in begun if part}


@pytest.mark.parametrize("first_alone", [False, True])
def test_of_nothing_comes_nothing(workers, first_alone):
    assert list(workers.in_order(abs, iter(()), first_alone=first_alone)) == []


def test_no_more_is_begun_than_may_be_ahead(workers):
    planned = []
    stream = workers.in_order(
        abs, (planned.append(index) or index for index in range(20)), first_alone=False
    )
    next(stream)

    assert planned == list(range(2 * AHEAD))
    stream.close()


def test_what_goes_wrong_is_raised_in_its_place(workers):
    def speak(part):
        if part == 2:
            raise EngineError("chunk 2 cannot be spoken")
        return part

    stream = workers.in_order(speak, iter(range(5)), first_alone=False)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(EngineError, match="chunk 2"):
        next(stream)


def test_what_goes_wrong_in_planning_is_raised_in_its_place(workers):
    def plans():
        yield from (0, 1)
        raise EngineError("chunk 2 cannot be planned")

    stream = workers.in_order(abs, plans(), first_alone=False)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(EngineError, match="chunk 2"):
        next(stream)


@pytest.mark.parametrize("leave", ["close", "forget", "fail"])
def test_who_leaves_early_leaves_nothing_running(workers, leave, monkeypatch):
    """What runs is waited for, what waits never starts; the next text finds the threads free."""
    beside, go, begun, ended = threading.Event(), threading.Event(), [], []
    wait = module.wait
    monkeypatch.setattr(module, "wait", lambda running: (go.set(), wait(running)))

    def speak(part):
        if part == 0:
            assert beside.wait(LONG_S)
            if leave == "fail":
                raise EngineError("the first fails while its neighbour is being spoken")
            return part
        begun.append(part)
        beside.set()
        assert go.wait(LONG_S)
        ended.append(part)
        return part

    stream = workers.in_order(speak, iter(range(9)), first_alone=False)
    if leave == "fail":
        with pytest.raises(EngineError):
            next(stream)
    else:
        assert next(stream) == 0
    stream.close() if leave == "close" else None
    del stream
    left_running = sorted({*begun} - {*ended})
    go.set()

    assert left_running == []
    assert len(list(workers.in_order(_pairs_meet(), iter(range(2)), first_alone=False))) == 2
    assert 1 in begun and set(begun) <= {1, 2}, (
        "what was ahead of the two that can run never starts"
    )


def test_a_worker_that_closes_a_forgotten_stream_does_not_wait_for_itself(workers):
    """Python may collect a stream in any thread, also in one that the stream would wait for."""
    streams, closing, closed = [], threading.Event(), threading.Event()

    def speak(part):
        if part == 1:
            assert closing.wait(LONG_S)
            streams[0].close()
            closed.set()
        return part

    streams.append(workers.in_order(speak, iter(range(3)), first_alone=False))
    assert next(streams[0]) == 0
    closing.set()
    assert closed.wait(LONG_S / 6)


def test_each_worker_has_its_share_and_nobody_else_loses_any(workers):
    def seen(_part):
        before = torch.get_num_threads()
        torch.ones(200, 200) @ torch.ones(200, 200)
        return before, torch.get_num_threads()

    elsewhere = []
    other = threading.Thread(target=lambda: elsewhere.append(torch.get_num_threads()))
    other.start()
    other.join()

    assert set(workers.in_order(seen, iter(range(8)), first_alone=False)) == {(1, 1)}
    assert torch.get_num_threads() == 2
    assert elsewhere == [2]


def test_the_threads_end_with_the_pool():
    before = _threads_of_workers()
    pool = Workers(3, 1, torch.get_num_threads())
    made = _threads_of_workers() - before
    assert len(made) == 3

    assert list(pool.in_order(abs, iter(range(9)), first_alone=False)) == list(range(9))
    assert _threads_of_workers() - before == made, "none are made for a text"
    del pool
    for thread in made:
        thread.join(LONG_S)
        assert not thread.is_alive()


def test_the_threads_end_with_the_pipeline(make_pipeline):
    before = _threads_of_workers()
    pipeline = make_pipeline(workers=2)
    pipeline.synthesize(LONG)
    made, gone = _threads_of_workers() - before, weakref.ref(pipeline)
    assert len(made) == 2
    del pipeline
    gc.collect()

    assert gone() is None
    for thread in made:
        thread.join(LONG_S)
        assert not thread.is_alive()


def test_one_worker_makes_no_threads(make_pipeline):
    before = _threads_of_workers()
    pipeline = make_pipeline()
    pipeline.synthesize(LONG)

    assert _threads_of_workers() <= before


@pytest.mark.parametrize(
    "options", [{}, {"cfg_strength": 0.0}, {"first_chunk_characters": 30}, {"batch": 2}], ids=str
)
def test_several_workers_give_the_same_bits(make_pipeline, options):
    """Each has one thread for its arithmetic, as the lone one has."""
    lone, several = (make_pipeline(nfe_steps=2, workers=count, **options) for count in (1, 3))
    for text in FEW:
        assert np.array_equal(several.synthesize(text), lone.synthesize(text))


@pytest.mark.parametrize(
    "options",
    [
        {"early_exit": 0.3, "nfe_steps": 12},
        {"nfe_adaptive": "phones"},
        {"precision": "bf16"},
        {"pad_frames": 64},
        {"solver": "heun", "cfg_until": 0.5},
    ],
    ids=str,
)
def test_so_they_do_whatever_the_models_are(make_pipeline, options):
    assert np.array_equal(
        make_pipeline(workers=2, **options).synthesize(LONG),
        make_pipeline(**options).synthesize(LONG),
    )


def test_with_another_share_of_the_threads_they_keep_the_tolerance(make_pipeline):
    before = torch.get_num_threads()
    try:
        lone = make_pipeline(threads=2).synthesize(LONG)
        several = make_pipeline(threads=2, workers=2)
        assert several.config.share == 1
        assert largest_difference(several.synthesize(LONG), lone) < TOLERANCE
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("options", [{}, {"first_chunk_characters": 30}, {"batch": 2}], ids=str)
def test_the_stream_concatenated_is_the_whole(make_pipeline, options):
    pipeline = make_pipeline(workers=2, nfe_steps=2, **options)
    for text in FEW:
        assert np.array_equal(
            np.concatenate(list(pipeline.stream(text))), pipeline.synthesize(text)
        )


def test_several_streams_at_once_share_the_workers_and_keep_their_own_audio(make_pipeline):
    pipeline = make_pipeline(workers=2)
    wanted = [pipeline.synthesize(text) for text in FEW]
    streams, pieces = [pipeline.stream(text) for text in FEW], [[] for _ in FEW]
    open_streams = list(range(len(FEW)))
    while open_streams:
        for index in tuple(open_streams):
            piece = next(streams[index], None)
            pieces[index].append(piece) if piece is not None else open_streams.remove(index)

    assert all(
        np.array_equal(np.concatenate(several), audio)
        for several, audio in zip(pieces, wanted, strict=True)
    )


def test_several_texts_go_to_the_workers_too(make_pipeline):
    pipeline, rows = make_pipeline(workers=2, cfg_strength=0.0), Counter()
    inner = pipeline.acoustic
    pipeline.acoustic = lambda *args: (
        rows.update({threading.get_ident(): args[0].shape[0]}),
        inner(*args),
    )[1]
    texts = [f"{word} is the word." for word in ("One", "Two", "Three", "Four")]
    several = pipeline.synthesize_batch(texts)
    pipeline.acoustic = inner

    assert sum(rows.values()) == 4 * pipeline.config.nfe_steps, "each text once a step"
    assert pipeline.synthesize_batch([]) == []
    for text, audio in zip(texts, several, strict=True):
        assert largest_difference(audio, pipeline.synthesize(text)) < TOLERANCE


def test_texts_are_grouped_so_that_no_worker_is_left_without(make_pipeline, monkeypatch):
    sizes, speak = [], FlowPipeline._speak
    monkeypatch.setattr(
        FlowPipeline,
        "_speak",
        lambda self, parts, watch: (sizes.append(len(parts)), speak(self, parts, watch))[1],
    )
    for workers, wanted in ((1, [5]), (2, [2, 3]), (3, [1, 2, 2])):
        sizes.clear()
        make_pipeline(workers=workers, nfe_steps=1).synthesize_batch(
            ["One.", "Two.", "Three.", "Four.", "Five."]
        )
        assert sorted(sizes) == wanted


def test_an_early_end_of_a_stream_leaves_the_pipeline_free(make_pipeline):
    pipeline = make_pipeline(workers=2)
    wanted, speak, running = pipeline.synthesize(CHUNKS), pipeline._speak, []

    def counted(parts, watch):
        running.append(1)
        try:
            return speak(parts, watch)
        finally:
            running.pop()

    pipeline._speak = counted
    stream = pipeline.stream(CHUNKS)
    next(stream)
    stream.close()

    assert running == []
    assert np.array_equal(pipeline.synthesize(CHUNKS), wanted)


def test_an_error_of_one_chunk_comes_after_the_pieces_before_it(make_pipeline):
    pipeline, heard = make_pipeline(workers=2), []
    speak, wanted = pipeline._speak, list(pipeline.stream(CHUNKS))

    def failing(parts, watch):
        if parts[0].index == 3:
            raise EngineError("chunk 3 cannot be spoken")
        return speak(parts, watch)

    pipeline._speak = failing
    with pytest.raises(EngineError, match="chunk 3"):
        for piece in pipeline.stream(CHUNKS):
            heard.append(piece)

    assert len(heard) == 3 < len(wanted)
    assert all(np.array_equal(one, other) for one, other in zip(heard, wanted, strict=False))


def test_memory_is_shared_by_the_workers(make_pipeline, monkeypatch):
    from voxgate.engine.pipelines import flow

    monkeypatch.setattr(flow, "free_bytes", lambda device: 4 << 30)
    lone, several = make_pipeline(batch=0), make_pipeline(batch=0, workers=4)

    assert several.config.batch == lone.config.batch // 4 > 1
    assert several.padded_frames == lone.padded_frames // 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "workers must be a whole number from 1 to 16, not 0"),
        ({"workers": 17}, "not 17"),
        ({"workers": 2.0}, "not 2.0"),
        ({"workers": True}, "not True"),
        (
            {"workers": 2, "device": "cuda"},
            "workers=2 are threads of the CPU.*use batch.*workers=1",
        ),
        (
            {"workers": 2, "compile": "default"},
            "compile=default compiles at the first call.*use workers=1 or compile=off",
        ),
        ({"workers": 3, "compile_vocoder": "max-autotune"}, "use workers=1 or compile_vocoder=off"),
    ],
)
def test_what_cannot_work_is_refused(options, words):
    with pytest.raises(EngineError, match=words):
        parse_options(options)


@pytest.mark.parametrize(
    ("threads", "workers", "share"), [(2, 1, 2), (2, 2, 1), (8, 3, 2), (1, 4, 1), (0, 1, 0)]
)
def test_the_threads_are_shared_out(threads, workers, share):
    assert parse_options({"threads": threads, "workers": workers}).share == share


def test_every_stage_is_watched_in_every_chunk(make_pipeline):
    stages, pipeline = [], make_pipeline(workers=2)

    @contextmanager
    def watch(stage):
        stages.append(stage)
        yield

    chunks = len(list(pipeline.stream(LONG, watch=watch))) - 1

    assert Counter(stages) == {
        "text": 1,
        **dict.fromkeys(("content", "acoustic", "vocoder", "post"), chunks),
    }


def test_stage_times_share_out_what_several_threads_spend_at_once(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("voxgate.engine.timing.time.perf_counter", lambda: now[0])
    times = StageTimes()

    def tick(seconds):
        now[0] += seconds

    with times.watch("acoustic"):
        tick(1.0)
        with times.watch("vocoder"):  # as of another thread
            tick(4.0)
        tick(1.0)
    with times.watch("acoustic"), times.watch("acoustic"):
        tick(3.0)

    assert times.seconds == {"acoustic": 7.0, "vocoder": 2.0}
    assert times.total_s() == sum(times.seconds.values())
