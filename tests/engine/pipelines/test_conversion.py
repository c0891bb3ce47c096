"""The pipeline `conversion` on tiny random models: what options change, and what they do not."""

import json
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner

from tests.engine.conversion.sounds import glide, hum
from tests.engine.pipelines.conversion_voice import write_conversion_voice
from voxgate.engine.__main__ import main
from voxgate.engine.conversion.content_encoder import content_filterbank, content_mel
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.conversion import ConversionPipeline
from voxgate.engine.pipelines.conversion_stream import ConversionStream
from voxgate.engine.pipelines.pipeline import NoticeKind

EQUAL = 1e-6
"""Of audio with peaks of about 0.05: rounding of fp32 in another order."""
STAGES = ["preprocess", "content", "f0", "model", "vocoder", "post"]


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    return write_conversion_voice(tmp_path_factory.mktemp("conversion"))


@pytest.fixture(name="source", scope="module")
def _source(tmp_path_factory):
    audio = np.concatenate([glide(100.0, 200.0)[0], hum(150.0, 0.7), glide(80.0, 300.0, 1.3)[0]])
    path = tmp_path_factory.mktemp("source") / "a.wav"
    soundfile.write(path, audio[:-77], 16_000, subtype="FLOAT")
    return path


@pytest.fixture(name="make")
def _make(folder, source):
    def make(**options):
        return ConversionPipeline.load({"threads": 1, "source": str(source), **options}, folder)

    return make


@pytest.fixture(name="whole", scope="module")
def _whole(folder, source):
    pipeline = ConversionPipeline.load({"threads": 1, "source": str(source)}, folder)
    return pipeline.synthesize("words")


def test_the_converted_audio_is_as_long_as_the_source(source, whole):
    assert whole.size == soundfile.info(source).frames
    assert whole.dtype == np.float32
    assert np.abs(whole).max() > 0.01


@pytest.mark.parametrize(
    "options",
    [
        {"chunk_seconds": 1.0},
        {"chunk_seconds": 0.5, "batch": 3},
        {"chunk_seconds": 0.5, "batch": 0},
        {"chunk_seconds": 0.7, "workers": 2, "threads": 2},
        {"parallel_f0": True},
        {"feature_cache": True},
        {"chunk_seconds": 0.5, "batch": 2, "workers": 2, "parallel_f0": True},
    ],
)
def test_options_of_speed_leave_the_audio(make, whole, options):
    audio = make(**options).synthesize("words")

    assert audio.shape == whole.shape
    assert np.abs(audio - whole).max() <= EQUAL


def test_less_overlap_than_the_models_look_changes_the_seams_alone(make, whole):
    narrow = make(chunk_seconds=1.0, chunk_overlap_seconds=0.1).synthesize("words")

    differing = np.abs(narrow - whole) > EQUAL
    assert differing.any()
    seconds = np.flatnonzero(differing) / 16_000
    assert (np.abs(seconds - np.round(seconds)) < 0.45).all()
    assert np.abs(narrow - whole).max() < 0.1 * np.abs(whole).max()


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"precision": "bf16"}, 0.1),
        ({"precision_model": "bf16"}, 0.1),
        ({"quantization_content": "int8-weight-only"}, 0.1),
        ({"quantization_model": "int8-dynamic", "quantization_vocoder": "int8-dynamic"}, 0.2),
        ({"runtime_content": "onnx", "runtime_model": "onnx", "runtime_vocoder": "onnx"}, 1e-4),
    ],
)
def test_arithmetic_and_runtimes_stay_near(make, whole, options, most):
    pytest.importorskip("torchao")
    pytest.importorskip("onnxruntime")
    pipeline = make(chunk_seconds=1.0, **options)

    audio = pipeline.synthesize("words")

    assert np.abs(audio - whole).max() <= most * np.abs(whole).max()
    asked = {each.option: each.requested for each in pipeline.applied}
    for name, value in options.items():
        if name != "precision":
            assert asked[name] == value


def test_precision_is_of_all_models_that_have_none_of_their_own(make):
    pipeline = make(precision="bf16", precision_vocoder="fp32")

    dtypes = {name: next(model.parameters()).dtype for name, model in pipeline.models.items()}

    assert dtypes == {
        "content": torch.bfloat16,
        "model": torch.bfloat16,
        "vocoder": torch.float32,
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chunk_seconds": 0.1}, "chunk_seconds is 0, or from 0.25"),
        ({"chunk_overlap_seconds": 0.05}, "chunk_overlap_seconds is 0, or from 0.1"),
        ({"stream_block_ms": 10}, "stream_block_ms is 0 or from 32"),
        ({"workers": 2, "device": "cuda"}, "device is cuda"),
        ({"workers": 2, "compile": "default"}, "compile=default compiles at the first call"),
        ({"runtime_model": "onnx", "precision": "bf16"}, "computes in fp32"),
        ({"runtime_model": "onnx", "quantization_model": "int8-dynamic"}, "use one of the two"),
        ({"runtime_vocoder": "onnx", "compile_vocoder": "default"}, "use one of the two"),
        ({"speaker": "kal"}, "choose from slt, rms, awb, kal16"),
        ({"nfe_steps": 4}, "unknown option 'nfe_steps'"),
    ],
)
def test_options_that_exclude_each_other_are_refused(make, options, words):
    with pytest.raises(EngineError, match=words):
        make(**options)


def test_voice_pitch_and_protection_change_the_audio(make, whole, source):
    pipeline = make()
    for options in (
        {"speaker": "rms"},
        {"pitch_shift": 5.0},
        {"protect": 0.1},
        {"reference": str(source)},
    ):
        other = pipeline.synthesize("words", options)
        assert other.shape == whole.shape
        assert np.abs(other - whole).max() > 1e-3, options
    assert np.array_equal(pipeline.synthesize("words"), whole)


def test_protection_touches_frames_without_pitch_alone(folder):
    pipeline = ConversionPipeline.load({"threads": 1}, folder)
    audio = hum(150.0, 2.0)

    free = pipeline.convert(audio, 16_000).audio
    held = pipeline.convert(audio, 16_000, {"protect": 0.0}).audio

    assert np.abs(free - held)[16_000 // 2 : -16_000 // 2].max() <= EQUAL


def test_the_shift_is_that_to_the_median_of_the_voice(make):
    pipeline, given = make(), []
    decoder = pipeline.model
    pipeline.model = lambda *rows: (given.append(rows), decoder(*rows))[1]
    pipeline.synthesize("words")
    pipeline.synthesize("words", {"pitch_shift": 3.0})

    (_, plain, voiced, _), (_, raised, _, _) = given
    inside = voiced > 0.5
    assert abs(float(plain[inside].median())) < 0.01
    assert torch.allclose(raised[inside], plain[inside] + np.log(2.0) / 4.0, atol=1e-6)
    assert (raised[~inside] == 0.0).all()


def test_features_are_kept_by_content_only_where_asked(make, source, tmp_path):
    copy = tmp_path / "copy.wav"
    copy.write_bytes(source.read_bytes())
    cached = make(feature_cache=True, vocal_tract_search=False)
    plain = make(vocal_tract_search=False)
    for pipeline in (cached, plain):
        calls = []
        encoder = pipeline.content
        pipeline.content = lambda mel, calls=calls, run=encoder: (calls.append(1), run(mel))[1]
        first = pipeline.synthesize("words")
        second = pipeline.synthesize("words", {"source": str(copy), "pitch_shift": 0.0})
        assert np.array_equal(first, second)
        assert len(calls) == (1 if pipeline is cached else 2)
    assert cached.cache.hits == 1


def test_several_sources_share_passes_and_keep_their_audio(make, whole, tmp_path):
    other = tmp_path / "b.wav"
    soundfile.write(other, hum(220.0, 1.7), 16_000, subtype="FLOAT")
    pipeline, rows = make(chunk_seconds=0.5, batch=4), []
    decoder = pipeline.model
    pipeline.model = lambda *given: (rows.append(len(given[0])), decoder(*given))[1]

    one, two = pipeline.synthesize_each(["a", "b"], [{}, {"source": str(other)}])

    assert np.abs(one - whole).max() <= EQUAL
    alone = make().synthesize("b", {"source": str(other)})
    assert np.abs(two - alone).max() <= EQUAL
    assert max(rows) == 4
    assert len(rows) == -(-sum(rows) // 4)


def test_every_stage_is_watched_once_per_pass_also_in_threads(make):
    seen = []

    @contextmanager
    def watch(stage):
        seen.append(stage)
        yield

    make(parallel_f0=True, workers=2, threads=2, chunk_seconds=1.0).synthesize("w", watch=watch)

    assert sorted(set(seen), key=STAGES.index) == STAGES
    assert seen.count("f0") == 1
    assert seen.count("model") == seen.count("vocoder") == 4


def test_a_source_unlike_the_training_voices_is_said(tmp_path, source):
    picky = write_conversion_voice(tmp_path / "picky", least_likeness=0.5)
    audio, rate_hz = soundfile.read(source)

    converted = ConversionPipeline.load({"threads": 1}, picky).convert(audio, rate_hz)
    shown = CliRunner().invoke(
        main, ["convert", str(source), "--voice", str(picky), "-o", str(tmp_path / "o.wav")]
    )

    assert 0.0 <= converted.likeness < 0.5
    assert not converted.like_training
    assert converted.warning in shown.stderr
    assert converted.warning.startswith("source unlike the training voices")
    pipeline = ConversionPipeline.load({"threads": 1, "source": str(source)}, picky)
    pipeline.synthesize("words")
    (notice,) = pipeline.notices
    assert (notice.kind, notice.line()) == (NoticeKind.UNLIKE, converted.warning)


def test_convert_writes_the_audio_and_the_stage_times(tmp_path, folder, source, whole):
    out = tmp_path / "o.wav"

    shown = CliRunner().invoke(
        main, ["convert", str(source), "--voice", str(folder), "-o", str(out)]
    )

    assert shown.exit_code == 0, shown.output
    assert all(stage in shown.output for stage in STAGES)
    assert "likeness" in shown.output and "unlike" not in shown.output
    audio, rate_hz = soundfile.read(out)
    assert rate_hz == 16_000
    assert np.abs(audio - whole).max() < 1e-3
    again = CliRunner().invoke(main, ["convert", str(out), "--voice", str(folder), "-o", str(out)])
    assert (again.exit_code, "is the source itself" in again.stderr) == (2, True)
    none = CliRunner().invoke(main, ["convert", str(tmp_path / "no.wav"), "--voice", str(folder)])
    assert (none.exit_code, "cannot be read" in none.stderr) == (2, True)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("content_encoder", {"least_likeness": "much"}, "no number from 0 to 1"),
        ("content_encoder", {"least_likeness": "1.5"}, "no number from 0 to 1"),
        ("mel_decoder", {"mel_std": "0"}, "mel_std in the file's metadata is '0'"),
    ],
)
def test_weights_that_are_damaged_are_refused(tmp_path, file, change, words):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    folder = write_conversion_voice(tmp_path / "damaged")
    path = folder / f"{file}.safetensors"
    with safe_open(path, "pt") as opened:
        about = opened.metadata()
    save_file(load_file(path), path, {**about, **change})

    with pytest.raises(EngineError, match=words):
        ConversionPipeline.load({}, folder)


def test_models_that_do_not_fit_each_other_are_refused(tmp_path):
    from tests.engine.pipelines.conversion_voice import TINY_DECODER
    from voxgate.engine.conversion.mel_decoder import MelDecoder
    from voxgate.engine.weights.voice import save_model

    folder = write_conversion_voice(tmp_path / "unfit")
    shape = type(TINY_DECODER)(**{**_fields(TINY_DECODER), "content": 12})
    scale = {"mel_mean": "-3.0", "mel_std": "2.0"}
    save_model(folder / "mel_decoder.safetensors", MelDecoder(shape), shape, **scale)

    with pytest.raises(EngineError, match="mel_decoder's content are 12 and the other models"):
        ConversionPipeline.load({}, folder)


def _fields(shape):
    return json.loads(json.dumps({name: getattr(shape, name) for name in shape.__slots__}))


class TestLive:
    def stream(self, make, **options):
        pipeline = make(stream_block_ms=160, **options)
        return ConversionStream(pipeline, pipeline.config), pipeline

    def test_what_is_pushed_comes_back_within_the_stated_latency(self, make, source):
        stream, _ = self.stream(make)
        audio, _ = soundfile.read(source, dtype="float32")
        pushed = returned = 0
        for first in range(0, audio.size, 100):
            block = audio[first : first + 100]
            pushed += block.size
            returned += stream.push(block).size
            assert pushed - returned <= stream.latency_samples
        assert returned + stream.finish().size == audio.size
        assert stream.latency_s == stream.latency_samples / 16_000

    def test_the_size_of_pushed_pieces_does_not_matter_to_length_or_finish(self, make, source):
        audio, _ = soundfile.read(source, dtype="float32")
        for size in (160, 7_777, audio.size):
            stream, _ = self.stream(make)
            made = [
                stream.push(audio[first : first + size]) for first in range(0, audio.size, size)
            ]
            assert sum(each.size for each in made) + stream.finish().size == audio.size

    def test_less_lookahead_is_less_latency(self, make):
        far, _ = self.stream(make)
        near, _ = self.stream(make, stream_lookahead_ms=64)

        assert near.latency_samples < far.latency_samples - 2_000

    def test_the_end_of_a_long_recording_is_converted_as_the_whole(self, folder):
        """By then level, mean and median are those of nearly all of it."""
        pipeline = ConversionPipeline.load({"threads": 1, "stream_block_ms": 160}, folder)
        whole = ConversionPipeline.load({"threads": 1}, folder)
        audio = np.tile(np.concatenate([hum(150.0, 0.5), hum(170.0, 0.5)]), 6)

        live = pipeline.convert(audio, 16_000).audio
        expected = whole.convert(audio, 16_000).audio

        end = slice(-3 * 16_000, -16_000)
        assert np.corrcoef(live[end], expected[end])[0, 1] > 0.99

    def test_spectra_are_those_of_the_whole(self, make, source):
        stream, _ = self.stream(make)
        audio, _ = soundfile.read(source, dtype="float32")
        audio = audio[: audio.size // 256 * 256]
        stream.push(audio)
        stream.finish()

        made = stream._encoder_input(0, stream._heard)

        expected = content_mel(torch.from_numpy(audio)[None], content_filterbank())[0]
        assert torch.allclose(made, expected, atol=1e-3)

    def test_a_very_short_one_keeps_its_length(self, make):
        for size in (0, 1, 300, 1_500):
            stream, _ = self.stream(make)
            first = stream.push(hum(150.0)[:size])
            assert first.size + stream.finish().size == size

    def test_the_pipeline_streams_block_by_block(self, make, whole):
        pieces = list(make(stream_block_ms=320).stream("words"))

        assert len(pieces) > 8
        assert np.concatenate(pieces).size == whole.size
