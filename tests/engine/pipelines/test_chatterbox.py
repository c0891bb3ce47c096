"""
voxgate.engine.pipelines.chatterbox on small random weights in the published layout, made by the
command that users have.
"""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from voxgate.engine.__main__ import main
from voxgate.engine.chatterbox.random_weights import write_random_chatterbox
from voxgate.engine.config import ChatterboxConfig, ModelVariant, parse
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines.chatterbox import ChatterboxPipeline
from voxgate.engine.pipelines.pipeline import NoticeKind

RECORDING = Path(__file__).parents[2] / "data" / "slt.flac"
TEXT = "Every autumn the geese fly south."


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chatterbox")
    result = CliRunner().invoke(
        main, ["random-weights", str(folder), "--kind", "chatterbox", "--small"]
    )
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(name="make")
def _make(folder):
    def make(**options):
        few = {"threads": 1, "nfe_steps": 2, "max_tokens": 10}
        return ChatterboxPipeline.load({"weights": str(folder), **few, **options})

    threads = torch.get_num_threads()
    yield make
    torch.set_num_threads(threads)


def _calls(pipeline, text=TEXT, options=None):
    """Return the shapes of the inputs of every call of T3's backbone."""
    calls = []
    inner = pipeline.tokens
    pipeline.replace_callable(
        "tokens", lambda *inputs: (calls.append(inputs[0].shape), inner(*inputs))[1]
    )
    pipeline.synthesize(text, options)
    pipeline.replace_callable("tokens", inner)
    return calls


def test_a_text_becomes_audio_of_40_ms_per_token_in_every_stage(make):
    pipeline, seen = make(), []

    def watch(stage):
        seen.append(stage)
        return contextlib.nullcontext()

    audio = pipeline.synthesize(TEXT, watch=watch)

    assert audio.dtype == np.float32 and np.isfinite(audio).all()
    assert 0 < audio.size <= 10 * 960 and audio.size % 960 == 0
    assert set(seen) == set(pipeline.stages)
    assert not audio[:480].any(), "20 ms of silence hide what the prompt leaves"


def test_the_same_seed_gives_bit_identical_audio_and_another_other_audio(make):
    pipeline = make()
    audio = pipeline.synthesize(TEXT, {"seed": 3})

    assert np.array_equal(audio, make(seed=3).synthesize(TEXT))
    assert not np.array_equal(audio, pipeline.synthesize(TEXT))


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({}, [(2, 71, 128), (2, 1, 128), (2, 1, 128)]),
        ({"cfg_weight": 0.0}, [(1, 71, 128), (1, 1, 128), (1, 1, 128)]),
        ({"kv_cache": "static"}, [(2, 71, 128), (2, 1, 128), (2, 1, 128)]),
    ],
)
def test_guidance_is_a_second_row_and_a_token_is_one_position(make, options, shapes):
    assert _calls(make(max_tokens=3, **options)) == shapes


def test_a_chunk_that_max_tokens_cuts_is_told_with_its_text(make):
    pipeline = make(max_tokens=3)
    pipeline.synthesize(f"{TEXT} " * 12)
    told = pipeline.notices

    assert [notice.chunk for notice in told] == list(range(len(told))) and len(told) > 1
    assert {(notice.kind, notice.option, notice.value) for notice in told} == {
        (NoticeKind.CUT, "max_tokens", 3)
    }
    assert told[0].text.startswith(TEXT)
    pipeline.synthesize_each([TEXT, TEXT], [{}, {"max_tokens": 4}])
    assert [(notice.number, notice.value) for notice in pipeline.notices] == [(0, 3), (1, 4)]


def test_characters_that_the_vocabulary_lacks_are_told(make):
    pipeline = make()
    pipeline.synthesize("It is \u65e5 today.", {})

    told = [each for each in pipeline.notices if each.kind is NoticeKind.DROPPED]
    assert [each.text for each in told] == ["\u65e5"]
    with pytest.raises(EngineError, match="can be spoken; give words in the letters"):
        pipeline.synthesize("\u65e5\u672c.")


def test_every_cache_says_the_same(make):
    said = [make(kv_cache=kind).synthesize(TEXT) for kind in ("off", "dynamic", "static")]

    for audio in said[1:]:
        np.testing.assert_allclose(audio, said[0], atol=1e-4)


def test_a_recording_is_another_voice_and_needs_no_transcript(make):
    pipeline = make()
    own = pipeline.synthesize(TEXT)

    heard = pipeline.synthesize(TEXT, {"reference": str(RECORDING)})

    assert not np.array_equal(own[: heard.size], heard[: own.size])
    assert np.array_equal(heard, make(reference=str(RECORDING)).synthesize(TEXT))


@pytest.mark.parametrize(
    "options", [{"precision": "bf16"}, {"quantization": "int8-weight-only"}, {"cfg_rate": 0.0}]
)
def test_reduced_precision_speaks_and_says_what_was_done(make, options):
    pipeline = make(**options)

    assert np.isfinite(pipeline.synthesize(TEXT)).all()
    applied = {each.option: each.effect for each in pipeline.applied}
    assert ("bfloat16" in applied["precision"]) == ("precision" in options)
    assert ("int8" in applied["quantization"]) == ("quantization" in options)


def test_long_text_is_spoken_in_pieces(make):
    pipeline = make(max_tokens=4, nfe_steps=1)
    text = "This is one sentence, and it says nothing new at all. " * 12
    pieces = list(pipeline.stream(text))

    assert len(pieces) == 3
    assert not np.array_equal(pieces[0], pieces[1]), "every piece is drawn anew"


def test_the_multilingual_model_reads_the_language(tmp_path):
    write_random_chatterbox(tmp_path, ModelVariant.MULTILINGUAL, small=True)
    few = {"threads": 1, "nfe_steps": 1, "max_tokens": 4, "weights": str(tmp_path)}
    pipeline = ChatterboxPipeline.load({**few, "variant": "multilingual", "language": "es"})

    assert pipeline.synthesize("Hola.").size > 0
    with pytest.raises(EngineError, match="language ja needs readings"):
        pipeline.synthesize("Hola.", {"language": "ja"})
    with pytest.raises(EngineError, match="2 layers of 2 heads; use alignment=off"):
        ChatterboxPipeline.load({**few, "variant": "multilingual", "alignment": "on"})
    with pytest.raises(EngineError, match=r"tokenizer.json cannot be read"):
        ChatterboxPipeline.load(few)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cfg_weight": -1.0}, "cfg_weight must be a number from 0.0 to 3.0"),
        ({"quantization": "int8-dynamic"}, "quantization cannot be 'int8-dynamic'"),
        (
            {"quantization": "int8-weight-only", "device": "cuda"},
            "quantization int8-weight-only of T3 is for a CPU",
        ),
        ({"kv_cache": "paged"}, "kv_cache cannot be 'paged'; choose from off, dynamic, static"),
    ],
)
def test_options_that_cannot_work_are_refused_before_anything_is_loaded(options, words):
    with pytest.raises(EngineError, match=words):
        parse(ChatterboxConfig, options)


def test_a_folder_without_a_voice_needs_a_recording(folder, make, tmp_path):
    for path in folder.iterdir():
        if path.name != "conds.pt":
            (tmp_path / path.name).symlink_to(path)

    with pytest.raises(EngineError, match=r"needs reference, a recording of the voice; the folder"):
        make(weights=str(tmp_path))

    torch.save({"t3": {"speaker_emb": torch.zeros(1, 256)}, "gen": {}}, tmp_path / "conds.pt")
    with pytest.raises(EngineError, match=r"conds.pt: missing or misshapen cond_prompt_speech"):
        make(weights=str(tmp_path))


def test_the_english_model_reads_english_alone(make):
    with pytest.raises(EngineError, match="language es needs the multilingual model"):
        make(language="es")


def test_an_empty_text_and_missing_weights_are_errors(make):
    with pytest.raises(EngineError, match="the text is empty"):
        make().synthesize(" ")
    with pytest.raises(EngineError, match="random-weights FOLDER --kind chatterbox"):
        ChatterboxPipeline.load({})
    with pytest.raises(EngineError, match="name the checkpoint's folder with --weights"):
        ChatterboxPipeline.load({}, Path())


def test_random_weights_do_not_overwrite(folder):
    with pytest.raises(EngineError, match="is not empty"):
        write_random_chatterbox(folder, ModelVariant.ENGLISH, small=True)
