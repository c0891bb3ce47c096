"""
Options of the pipeline `conversion` that silently do nothing are found out, each by the check of
its own option. Every lie is planted in a real pipeline with small random weights.
"""

from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from tests.engine.conversion.sounds import glide, hum
from tests.engine.pipelines.conversion_voice import write_conversion_voice
from voxgate.engine.config import ConversionConfig, F0Method, options_of
from voxgate.engine.conversion.f0 import estimate_f0
from voxgate.engine.passes import Applied, precision, quantization
from voxgate.engine.pipelines.batching import workers_of
from voxgate.engine.pipelines.conversion import ConversionPipeline
from voxgate.harness.records.cell import Request, SourceRecording
from voxgate.harness.targets.engine.conversion_checks import CONVERSION_CHECKS
from voxgate.harness.targets.engine.target import EngineTarget

CHUNKS = {"chunk_seconds": 0.5}


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    return write_conversion_voice(tmp_path_factory.mktemp("conversion"))


@pytest.fixture(name="source", scope="module")
def _source(tmp_path_factory):
    noise = 0.01 * np.random.default_rng(0).standard_normal(8_000).astype(np.float32)
    audio = np.concatenate([glide(100.0, 200.0, 1.0)[0], noise, hum(150.0, 0.6)])
    path = tmp_path_factory.mktemp("source") / "a.wav"
    soundfile.write(path, audio, 16_000, subtype="FLOAT")
    return str(path)


@pytest.fixture(name="make")
def _make(folder, source):
    def make(**options) -> EngineTarget:
        target = EngineTarget()
        target.requested = {"threads": 1, "source": source, **options}
        target.pipeline = ConversionPipeline.load(target.requested, folder)
        return target

    return make


def _request(target):
    source = SourceRecording(path=target.requested["source"])
    return Request(id="c001", text="The words said.", source=source)


def _broken(target, request=None):
    checks = target.observe(request or _request(target))
    return {check.option for check in checks if check.in_effect is False}


def _unseen(target):
    return {check.option for check in target.observe(_request(target)) if check.in_effect is None}


def _as_configured(target, **changes):
    """Work by other options than those that are told."""
    told = target.pipeline.config

    class Lying(type(target.pipeline)):
        def _windows(self, frames, context):
            return self._as(super()._windows, frames, context)

        def _audio_of(self, parts, watch):
            return iter(list(self._as(super()._audio_of, parts, watch)))

        def _content_of(self, mel, watch):
            return self._as(super()._content_of, mel, watch)

        def _as(self, run, *arguments):
            self.config = replace(told, **changes)
            try:
                made = run(*arguments)
                return made if not hasattr(made, "__next__") else iter(list(made))
            finally:
                self.config = told

    target.pipeline.__class__ = Lying
    return target


def test_every_option_has_a_check():
    assert set(CONVERSION_CHECKS) == set(options_of(ConversionConfig))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunk_seconds": 0.5, "batch": 2},
        {"chunk_seconds": 0.5, "workers": 2, "threads": 2},
        {"chunk_seconds": 0.5, "chunk_overlap_seconds": 0.12},
        {"parallel_f0": True},
        {"parallel_f0": True, "chunk_seconds": 0.5, "workers": 2, "threads": 2},
        {"vocal_tract_search": True},
        {"vocal_tract_search": False},
        {"feature_cache": True},
        {"feature_cache": True, "parallel_f0": True},
        {"pitch_shift": -3.0, "speaker": "awb"},
        {"protect": 0.2},
        {"precision": "bf16", "precision_vocoder": "fp32"},
        {"stream_block_ms": 160},
        {"stream_block_ms": 240, "stream_lookahead_ms": 100, "pitch_shift": 2.0},
    ],
)
def test_honest_options_are_observed_in_effect(make, options):
    target = make(**options)
    before = dict(vars(target.pipeline))

    checks = {check.option: check for check in target.observe(_request(target))}

    assert {name: each for name, each in checks.items() if each.in_effect is False} == {}
    for name in options:
        shown = checks[name].in_effect
        assert shown is True, checks[name]
    after = dict(vars(target.pipeline))
    assert {name for name in before if before[name] is not after[name]} <= {"_notices"}


def test_a_search_that_is_not_made_or_not_heeded_is_found_out(make):
    lazy = make(vocal_tract_search=True)
    lazy.pipeline._searched = lambda mel, watch: mel
    deaf = make(vocal_tract_search=True)
    search = deaf.pipeline._best_warp
    deaf.pipeline.search = lambda mel: 0.82 if search(mel) != 0.82 else 1.2
    heeded = type(deaf.pipeline)._searched
    deaf.pipeline._searched = lambda mel, watch: (heeded(deaf.pipeline, mel, watch), mel)[1]
    zealous = make(vocal_tract_search=False)
    told = zealous.pipeline.config
    zealous.pipeline._searched = lambda mel, watch: _with_config(
        zealous.pipeline, replace(told, vocal_tract_search=True), heeded, mel, watch
    )

    for target in (lazy, deaf, zealous):
        assert _broken(target) == {"vocal_tract_search"}


def _with_config(pipeline, config, run, *arguments):
    told, pipeline.config = pipeline.config, config
    try:
        return run(pipeline, *arguments)
    finally:
        pipeline.config = told


@pytest.mark.parametrize("method", [F0Method.SWIFT, F0Method.DIO])
def test_packages_of_f0_are_observed(make, method):
    pytest.importorskip("swift_f0")
    pytest.importorskip("pyworld")

    assert _broken(make(f0_method=method, workers=2, threads=2, chunk_seconds=0.5)) == set()


def test_int8_and_other_runtimes_are_observed(make):
    pytest.importorskip("torchao")
    pytest.importorskip("onnxruntime")
    int8 = {
        "quantization_content": "int8-dynamic",
        "quantization_vocoder": "int8-weight-only",
        "runtime_model": "onnx",
    }
    target = make(**int8)

    checks = {check.option: check.in_effect for check in target.observe(_request(target))}

    assert all(checks[name] for name in int8)
    assert False not in checks.values()


def test_a_reference_is_observed_by_its_voice(make, source):
    target = make(reference=source)
    assert _broken(target) == set()

    named = target.pipeline.voice.target("slt")
    target.pipeline.references.get = lambda *_: named
    assert _broken(target) == {"reference"}


@pytest.mark.parametrize(
    ("asked", "done", "found"),
    [
        ({**CHUNKS}, {"chunk_seconds": 0.0}, {"chunk_seconds"}),
        ({}, {"chunk_seconds": 0.5}, {"chunk_seconds"}),
        ({**CHUNKS, "batch": 3}, {"batch": 1}, {"batch"}),
        ({**CHUNKS}, {"batch": 3}, {"batch"}),
        ({**CHUNKS}, {"chunk_overlap_seconds": 0.12}, {"chunk_overlap_seconds"}),
    ],
)
def test_other_chunks_than_asked_are_found_out(make, asked, done, found):
    broken = _broken(_as_configured(make(**asked), **done))

    assert found <= broken <= {"chunk_seconds", "batch", "chunk_overlap_seconds", "stream_block_ms"}


def test_workers_that_do_not_work_together_are_found_out(make, monkeypatch):
    monkeypatch.setattr("voxgate.harness.targets.engine.thread_probe.PATIENCE_S", 0.5)
    target = make(**CHUNKS, workers=2, threads=2)
    target.pipeline._workers = None
    assert "workers" in _broken(target)

    alone = make(**CHUNKS)
    alone.pipeline._workers = workers_of(replace(alone.pipeline.config, workers=2, threads=2))
    assert "workers" in _broken(alone)


def test_f0_that_waits_for_its_turn_is_found_out(make, monkeypatch):
    monkeypatch.setattr("voxgate.harness.targets.engine.conversion_observer.MEET_S", 0.2)
    target = make(parallel_f0=True)

    class Later:
        """Estimates when the result is asked for, in the caller's thread."""

        def submit(self, run):
            future = Future()
            future.result = run
            return future

    target.pipeline._f0_thread = Later()
    assert _broken(target) == {"parallel_f0"}


def test_f0_in_a_thread_behind_the_content_is_found_out(make, monkeypatch):
    monkeypatch.setattr("voxgate.harness.targets.engine.conversion_observer.MEET_S", 0.2)
    target = make(parallel_f0=True)
    thread = target.pipeline._f0_thread

    class Behind:
        def submit(self, run):
            future = Future()
            future.result = lambda: thread.submit(run).result()
            return future

    target.pipeline._f0_thread = Behind()
    assert _broken(target) == {"parallel_f0"}


def test_a_cache_that_keeps_nothing_and_a_secret_one_are_found_out(make):
    forgetful, secret = make(feature_cache=True), make()
    forgetful.pipeline.cache.enabled, secret.pipeline.cache.enabled = False, True

    assert _broken(forgetful) == _broken(secret) == {"feature_cache"}


def test_another_f0_method_is_found_out(make):
    pytest.importorskip("pyworld")
    for asked, done in ((F0Method.DIO, F0Method.YIN), (F0Method.YIN, F0Method.DIO)):
        target = make(f0_method=asked)
        target.pipeline.f0 = lambda audio, _method, done=done: estimate_f0(audio, done)
        assert _broken(target) == {"f0_method"}


def test_another_pitch_speaker_or_protection_is_found_out(make):
    told = make(pitch_shift=4.0, speaker="rms", protect=0.25)
    done = {"pitch_shift": 0.0, "speaker": "slt", "protect": 0.4}
    for name, value in done.items():
        target = make(pitch_shift=4.0, speaker="rms", protect=0.25)
        parts = target.pipeline._parts
        target.pipeline._parts = (
            lambda prepared, config, watch, parts=parts, name=name, value=value: parts(
                prepared, replace(config, **{name: value}), watch
            )
        )
        assert _broken(target) == {name}
    assert _broken(told) == set()


def test_protection_that_does_nothing_is_found_out(make, monkeypatch):
    monkeypatch.setattr("voxgate.engine.pipelines.conversion.guarded_mel", lambda _parts, mel: mel)

    assert "protect" in _broken(make(protect=0.1)) | _unseen(make(protect=0.1))


@pytest.mark.parametrize("name", ["content", "model", "vocoder"])
def test_arithmetic_that_is_only_told_is_found_out(make, monkeypatch, name):
    def told(models, requested, option="precision"):
        return Applied(option=option, requested=requested, effect="bf16", reason="asked")

    real = precision.apply
    monkeypatch.setattr(precision, "apply", told)
    target = make(**{f"precision_{name}": "bf16"})
    monkeypatch.setattr(precision, "apply", real)
    target.pipeline.ready = lambda _model, rows: rows

    assert _broken(target) == {f"precision_{name}"}


def test_int8_that_is_only_told_is_found_out(make, monkeypatch):
    pytest.importorskip("torchao")

    def told(models, requested, option="quantization"):
        return Applied(option=option, requested=requested, effect="int8", reason="asked")

    monkeypatch.setattr(quantization, "apply", told)

    assert _broken(make(quantization_model="int8-dynamic")) == {"quantization_model"}


def test_a_runtime_and_a_compilation_that_are_only_told_are_found_out(make):
    target = make()
    target.requested |= {
        "runtime_content": "onnx",
        "compile": "default",
        "compile_vocoder": "default",
    }

    assert _broken(target) == {"runtime_content", "compile", "compile_vocoder"}


def test_live_blocks_of_another_size_are_found_out(make):
    target = make(stream_block_ms=320)
    live = target.pipeline.live
    target.pipeline.live = lambda source, config, watch: live(
        source, replace(config, stream_block_ms=160), watch
    )
    assert _broken(target) == {"stream_block_ms", "stream_lookahead_ms"}

    whole = make()
    target = make(stream_block_ms=160)
    target.pipeline.converted = lambda source, config, watch: whole.pipeline.converted(
        source, replace(config, stream_block_ms=0), watch
    )
    assert "stream_block_ms" in _broken(target)


def test_audio_of_another_recording_is_found_out(make, tmp_path):
    other = tmp_path / "other.wav"
    soundfile.write(other, hum(200.0, 1.1), 16_000, subtype="FLOAT")
    target = make()
    stream = target.pipeline.stream
    target.pipeline.synthesize = lambda text, options, *_: np.concatenate(
        list(stream(text, {**options, "source": str(other)}))
    )

    assert "source" in _broken(target)


def test_a_changed_number_of_threads_is_found_out(make):
    target = make(threads=2)
    torch.set_num_threads(1)

    assert _broken(target) == {"threads"}
