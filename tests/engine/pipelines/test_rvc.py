"""voxgate.engine.pipelines.rvc: a recording through a random RVC voice of few channels."""

import numpy as np
import pytest
import soundfile
import torch

from tests.studies.s3gen_parity import RECORDING
from voxgate.engine.config import options_of, parse
from voxgate.engine.config.conversion import RvcConfig
from voxgate.engine.conversion.f0 import F0Track
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.rvc import RvcPipeline
from voxgate.engine.rvc.passage import (
    content_of,
    frame_levels,
    mirrored,
    mirrored_f0,
    spoken_windows,
)
from voxgate.engine.rvc.random_weights import PUBLISHED, small_sizes, write_random_rvc

SECONDS = 1.3
CHUNKED = {"chunk_seconds": 0.4, "chunk_overlap_seconds": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("rvc") / "voice"
    write_random_rvc(path, small_sizes(PUBLISHED["v1-32k"]), seed=2)
    generator = np.random.default_rng(1)
    np.save(path / "index.npy", generator.standard_normal((20, 256)).astype(np.float32))
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    audio, rate_hz = soundfile.read(RECORDING, dtype="float32")
    path = tmp_path_factory.mktemp("source") / "said.wav"
    soundfile.write(path, audio[rate_hz // 2 :][: int(SECONDS * rate_hz)], rate_hz)
    return str(path)


def _pipeline(folder, **options):
    return RvcPipeline.load({"threads": 1, **options}, folder)


def _converted(folder, source, request=None, **options):
    return _pipeline(folder, **options).synthesize("", {"source": source, **(request or {})})


@pytest.fixture(scope="module")
def whole(folder, source):
    return _converted(folder, source)


@pytest.fixture(scope="module")
def chunked(folder, source):
    return _converted(folder, source, **CHUNKED)


def test_a_recording_keeps_its_length_at_the_voices_rate(folder, source, whole):
    pipeline = _pipeline(folder)

    assert pipeline.converts and pipeline.sample_rate_hz == 32_000
    assert whole.dtype == np.float32 and abs(whole.size - SECONDS * 32_000) <= 2
    assert np.isfinite(whole).all() and whole.std() > 1e-3
    samples, rate_hz = soundfile.read(source, dtype="float32")
    converted = pipeline.convert(samples, rate_hz)
    assert np.array_equal(converted.audio, whole) and converted.like_training


def test_the_seed_and_the_pitch_change_the_audio_and_nothing_else_does(folder, source, whole):
    assert np.array_equal(_converted(folder, source), whole)
    for request in ({"seed": 1}, {"pitch_shift": 5.0}, {"speaker": 3}, {"rms_mix_rate": 1.0}):
        assert not np.array_equal(_converted(folder, source, request), whole), request


@pytest.mark.parametrize(
    "options", [{"batch": 3}, {"batch": 0}, {"workers": 2}, {"parallel_f0": True}]
)
def test_batch_workers_and_parallel_f0_change_nothing(folder, source, chunked, options):
    assert np.abs(_converted(folder, source, **CHUNKED, **options) - chunked).max() < 1e-5


def test_a_cached_recording_gives_the_same(folder, source, whole):
    pipeline = _pipeline(folder, feature_cache=True)
    for _ in range(2):
        assert np.array_equal(pipeline.synthesize("", {"source": source}), whole)
    assert pipeline.cache.hits == 1


def test_recordings_of_one_call_are_each_as_alone(folder, source, chunked):
    pipeline = _pipeline(folder, batch=4, **CHUNKED)
    both = pipeline.synthesize_each(["", ""], [{"source": source}, {"source": source, "seed": 9}])

    assert np.abs(both[0] - chunked).max() < 1e-5
    assert both[1].size == chunked.size and not np.array_equal(both[1], both[0])


def test_chunks_are_the_whole_as_far_as_the_models_look_no_further_than_the_overlap(folder, source):
    heard = []
    for chunk_seconds in (0.0, 0.4):
        pipeline = _pipeline(folder, chunk_seconds=chunk_seconds, chunk_overlap_seconds=0.7)
        for layer in pipeline.voice.synthesizer.enc_p.encoder.attn_layers:
            layer.conv_o.weight.zero_()  # attention has no bounds
            layer.conv_o.bias.zero_()
        pipeline.content = _near_content
        heard.append(pipeline.synthesize("", {"source": source}))

    assert heard[0].size == heard[1].size and heard[0].std() > 1e-3
    assert np.abs(heard[0] - heard[1]).max() < 1e-4


def _near_content(audio):
    return 5.0 * audio.unfold(1, 400, 320)[..., :256]


def test_chunks_have_the_length_of_the_whole_and_are_near_it(whole, chunked):
    assert chunked.size == whole.size
    # random weights attend everywhere, trained ones to neighbours
    assert np.corrcoef(chunked, whole)[0, 1] > 0.3


def test_stages_and_passes_are_named(folder, source):
    seen = []
    pipeline = _pipeline(folder)

    class Watched:
        def __init__(self, stage):
            seen.append(stage)

        def __enter__(self):
            return None

        def __exit__(self, *_):
            return None

    pipeline.synthesize("", {"source": source}, watch=Watched)
    assert list(dict.fromkeys(seen)) == list(pipeline.stages)
    assert set(pipeline.models) == {"content", "model", "vocoder"}
    assert "speaker" in pipeline.per_request() and "f0_method" not in pipeline.per_request()


@pytest.mark.parametrize(
    "options", [{"precision": "bf16"}, {"quantization_content": "int8-dynamic"}]
)
def test_reduced_arithmetic_stays_close(folder, source, whole, options):
    reduced = _converted(folder, source, **options)

    assert not np.array_equal(reduced, whole)
    assert np.corrcoef(reduced, whole)[0, 1] > 0.9


def test_the_index_acts_by_its_rate_and_is_held_back_where_unvoiced(folder, source, whole):
    mixed = _converted(folder, source, {"index_rate": 0.7})
    assert not np.array_equal(mixed, whole)

    pipeline = _pipeline(folder)
    features = pipeline.cache.get(
        "any", lambda: pipeline.prepare(_source(source), pipeline.config, _no_watch)
    )
    plain = content_of(features, pipeline.voice.index, 0.0, 0.0)
    full = content_of(features, pipeline.voice.index, 0.7, 0.5)
    guarded = content_of(features, pipeline.voice.index, 0.7, 0.0)
    voiced = features.f0 > 0.0
    assert 0.2 < voiced.float().mean() < 1.0
    assert torch.equal(guarded[voiced], full[voiced])
    assert torch.equal(guarded[~voiced], plain[~voiced])
    assert not torch.equal(full[~voiced], plain[~voiced])


def _source(path):
    from voxgate.engine.conversion.source import load_source

    return load_source(path)


def _no_watch(_):
    from contextlib import nullcontext

    return nullcontext()


@pytest.mark.parametrize(
    ("request_options", "words"),
    [
        ({}, "no source"),
        ({"source": "/nowhere.wav"}, "cannot be read"),
        ({"speaker": 4}, "speaker 4 is none of this voice's; choose 0 to 3"),
        ({"f0_method": "dio"}, "cannot be set for one request"),
    ],
)
def test_a_request_that_cannot_work_is_refused(folder, request_options, words):
    with pytest.raises(EngineError, match=words):
        _pipeline(folder).synthesize("", request_options)


def test_a_voice_is_needed_and_an_index_for_its_rate(folder, tmp_path):
    with pytest.raises(EngineError, match=r"rvc needs --voice or weights"):
        RvcPipeline.load({})
    with pytest.raises(EngineError, match=r"both name the voice"):
        RvcPipeline.load({"weights": str(folder)}, folder)
    with pytest.raises(EngineError, match=r"no folder .*elsewhere.* random-weights .*elsewhere"):
        RvcPipeline.load({"weights": str(tmp_path / "elsewhere")})
    assert RvcPipeline.load({"weights": str(folder)}).sample_rate_hz == 32_000
    for name in ("model.pth", "hubert.safetensors", "config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(EngineError, match=r"has no index\.npy"):
        _pipeline(tmp_path, index_rate=0.5)


def test_speakers_are_numbers():
    assert options_of(RvcConfig)["speaker"].kind is int
    with pytest.raises(EngineError, match="speaker"):
        parse(RvcConfig, {"speaker": "slt"})


@pytest.mark.parametrize(
    "options",
    [
        {"runtime_vocoder": "onnx"},
        {"stream_block_ms": 100},
        {"quantization_vocoder": "int8-dynamic"},
    ],
)
def test_what_only_the_embedded_voice_can_do_is_refused(options):
    with pytest.raises(EngineError, match="pipeline rvc"):
        parse(RvcConfig, options)


def test_a_recording_is_mirrored_and_freed_of_rumble():
    time = np.arange(16_000) / 16_000
    rumble = np.sin(2 * np.pi * 15 * time).astype(np.float32)
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    source = mirrored(rumble + tone, pad=100)

    assert (source.samples, source.frames, source.padded_frames) == (16_000, 100, 300)
    assert source.audio.size == 300 * 160 + 80
    inner = source.inner[2000:-2000]
    assert np.abs(inner - tone[2000:-2000]).max() < 0.02
    assert np.array_equal(source.audio[16_000 - 500 : 16_000], source.audio[16_001:16_501][::-1])


def test_f0_is_read_at_100_hz():
    source = mirrored(np.ones(16_000, np.float32), pad=10)
    hz = np.linspace(100.0, 200.0, 63).astype(np.float32)
    hz[:20] = 0.0
    f0 = mirrored_f0(F0Track(hz=hz), source)

    assert f0.shape == (120,)
    inner = f0[10:-10].numpy()
    assert not inner[:31].any() and (inner[32:] > 0).all()
    expected = np.interp(np.arange(40, 100) * 0.625, np.arange(63), hz)
    assert np.abs(inner[40:] - expected).max() < 0.1
    assert not mirrored_f0(F0Track(hz=np.zeros(63, np.float32)), source).any()


@pytest.mark.parametrize("core", [0, 30, 94, 95, 200])
def test_windows_keep_every_frame_once_and_have_one_length(core):
    source = mirrored(np.ones(16_000, np.float32), pad=20)
    cut = spoken_windows(source, core)

    assert [each.keep_start for each in cut] == [20, *(each.keep_stop for each in cut[:-1])]
    assert cut[-1].keep_stop == 120 and len({each.frames for each in cut}) == 1
    assert all(each.start >= 0 and each.stop <= 140 for each in cut)
    assert all(each.keep_start - each.start >= 20 for each in cut)


def test_a_level_is_that_of_a_second():
    audio = torch.cat((torch.full((32_000,), 0.5), torch.zeros(32_000)))
    levels = frame_levels(audio, 160)

    assert levels.shape == (400,)
    assert float(levels[100]) == pytest.approx(0.5)
    assert float(levels[200]) == pytest.approx(0.5 * (50 / 101) ** 0.5)
    assert float(levels[300]) == 0.0
