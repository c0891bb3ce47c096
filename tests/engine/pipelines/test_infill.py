"""
voxgate.engine.pipelines.infill on small random weights in the published layout, made by the command
that users have.
"""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from voxgate.engine.__main__ import main
from voxgate.engine.acoustic.infill import SAMPLE_RATE_HZ
from voxgate.engine.config.infill import (
    INFILL_OPTIONS,
    InfillConfig,
    parse_infill_options,
    parse_infill_words,
)
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.mel import HOP
from voxgate.engine.pipelines.flow import STAGES
from voxgate.engine.pipelines.infill import InfillPipeline
from voxgate.engine.weights.random_checkpoint import write_random_voice

RECORDING = Path(__file__).parents[2] / "data" / "slt.flac"
SAYS = "She told me that her brother works in a hospital."
REFERENCE = {"reference": str(RECORDING), "reference_text": SAYS}
TEXT = "Every autumn the geese fly south."


@pytest.fixture(name="make")
def _make(random_voice):
    def make(**options):
        return InfillPipeline.load(
            {"weights": str(random_voice), "threads": 1, "nfe_steps": 2, **options}
        )

    return make


def _copied(folder, target):
    for path in folder.rglob("*.*"):
        new = target / path.relative_to(folder)
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(path.read_bytes())
    return target


def _calls(pipeline, text, options=None):
    """Return the inputs of every call of the acoustic model."""
    calls = []
    inner = pipeline.acoustic
    pipeline.acoustic = lambda *inputs: (
        calls.append([each.clone() for each in inputs]),
        inner(*inputs),
    )[1]
    pipeline.synthesize(text, options)
    pipeline.acoustic = inner
    return calls


def test_new_frames_are_those_of_the_recording_by_the_bytes_of_both_texts(make):
    pipeline = make(**REFERENCE)
    recorded = int((_calls(pipeline, TEXT)[0][1][0] != 0).any(dim=1).sum())

    for speed in (1.0, 0.8):
        new = int(recorded / len(f"{SAYS} ") * len(TEXT) / speed)
        assert pipeline.synthesize(TEXT, {"speed": speed}).size == (new - 1) * HOP


def test_the_recording_is_known_to_the_told_half_alone_and_the_rest_is_zeros(make):
    prompt_mel = _calls(make(**REFERENCE), TEXT)[0][1]

    heard = (prompt_mel[0] != 0).any(dim=1)
    assert prompt_mel.shape[0] == 2 and not prompt_mel[1].any()
    assert heard[: int(heard.sum())].all(), "it stands in front, without a gap"
    assert int(heard.sum()) * HOP / SAMPLE_RATE_HZ == pytest.approx(2.4, abs=0.4)


def test_without_a_recording_all_that_is_known_is_zeros(make):
    calls = _calls(make(), TEXT)

    assert not any(call[1].any() for call in calls)
    assert make().synthesize(TEXT).size > SAMPLE_RATE_HZ


def test_the_same_seed_gives_bit_identical_audio_and_another_other_audio(make):
    pipeline = make(**REFERENCE)
    a, b = pipeline.synthesize(TEXT, {"seed": 3}), make(seed=3, **REFERENCE).synthesize(TEXT)

    assert a.dtype == np.float32 and np.isfinite(a).all() and np.array_equal(a, b)
    assert not np.array_equal(a, pipeline.synthesize(TEXT))


def test_a_quiet_recording_is_answered_quietly(make, tmp_path):
    audio, rate_hz = soundfile.read(RECORDING)
    said = []
    for gain in (0.1, 0.01):
        soundfile.write(tmp_path / "quiet.wav", gain * audio, rate_hz, subtype="FLOAT")
        said.append(
            make(reference=str(tmp_path / "quiet.wav"), reference_text=SAYS).synthesize(TEXT)
        )

    assert np.allclose(said[1], 0.1 * said[0], atol=1e-3 * np.abs(said[0]).max())


def test_long_text_is_spoken_in_pieces_and_streamed(make):
    pipeline = make(nfe_steps=1, **REFERENCE)
    text = "This is one sentence, and it says nothing new at all. " * 12
    pieces = list(pipeline.stream(text))

    assert len(pieces) > 2
    assert np.array_equal(np.concatenate(pieces), pipeline.synthesize(text))


def test_every_stage_is_watched(make):
    seen = []

    def watch(stage):
        seen.append(stage)
        return contextlib.nullcontext()

    make().synthesize(TEXT, watch=watch)

    assert set(seen) == set(STAGES)


def test_versions_and_precision_change_what_is_said_and_not_how_long(make):
    plain = make(**REFERENCE).synthesize(TEXT)

    for other in ({"version": 0}, {"precision": "bf16"}, {"cfg_strength": 0.0}):
        audio = make(**REFERENCE, **other).synthesize(TEXT)
        assert audio.shape == plain.shape and not np.array_equal(audio, plain), other


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", {}, "the text is empty"),
        ("Hello 你", {}, r"vocab.txt has no '\\u4f60'"),
        (
            "Hello.",
            {"nfe_steps": 3},
            "nfe_steps cannot be set for one request; only speed, seed, reference, reference_text",
        ),
        (
            "Hello.",
            {"reference": "none.wav", "reference_text": "Hi."},
            "reference none.wav cannot be read",
        ),
        (
            "Hello.",
            {"reference": str(RECORDING), "reference_text": "Hi."},
            "slt.flac: reference_text has 4 characters",
        ),
    ],
)
def test_what_cannot_be_spoken_is_refused(make, text, options, words):
    with pytest.raises(EngineError, match=words):
        make().synthesize(text, options)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("ema_model.transformer.proj_out.bias"), "missing tensors proj_out.bias"),
        (
            lambda t: t.update({"ema_model.transformer.proj_in.weight": torch.ones(2)}),
            "unknown tensors proj_in.weight",
        ),
    ],
)
def test_a_tensor_too_few_or_too_many_is_named(random_voice, tmp_path, change, words):
    copy = _copied(random_voice, tmp_path / "copy")
    tensors = load_file(copy / "model_random.safetensors")
    change(tensors)
    save_file(tensors, copy / "model_random.safetensors")

    with pytest.raises(EngineError, match=words):
        InfillPipeline.load({"weights": str(copy)})


def test_a_folder_whose_parts_do_not_belong_together_is_refused(random_voice, tmp_path):
    copy = _copied(random_voice, tmp_path / "copy")
    vocabulary = (copy / "vocab.txt").read_text()
    for name, content, words in (
        ("vocab.txt", vocabulary + "é\n", "vocab.txt has 96 characters, the model 95"),
        ("vocab.txt", "a\nb\n", "the first line must be a space"),
        ("vocab.txt", " \na\na\n", "no line may occur twice"),
        (
            "second.pt",
            "x",
            "must hold one file of tensors .* it holds model_random.safetensors, second.pt",
        ),
    ):
        (copy / name).write_text(content)
        with pytest.raises(EngineError, match=words):
            InfillPipeline.load({"weights": str(copy)})
    (copy / "second.pt").unlink()
    (copy / "vocab.txt").unlink()
    with pytest.raises(EngineError, match=r"vocab.txt cannot be read"):
        InfillPipeline.load({"weights": str(copy)})
    (copy / "vocos" / "pytorch_model.bin").unlink()
    with pytest.raises(EngineError, match=r"vocos must hold one file of tensors .*; it holds none"):
        InfillPipeline.load({"weights": str(copy)})


def test_weights_must_be_named_and_be_a_folder(tmp_path):
    with pytest.raises(
        EngineError,
        match=r"needs weights, .*python -m voxgate.engine random-weights FOLDER --small",
    ):
        InfillPipeline.load({})
    with pytest.raises(EngineError, match="none is no folder"):
        InfillPipeline.load({"weights": str(tmp_path / "none")})


def test_options_are_strict():
    assert parse_infill_options({}) == InfillConfig()
    assert parse_infill_words({"nfe_steps": "7", "version": "0", "weights": "w"}) == InfillConfig(
        nfe_steps=7, version=0, weights="w"
    )
    for options, words in (
        ({"nfe_step": 8}, "unknown option 'nfe_step' of pipeline infill; did you mean nfe_steps"),
        (
            {"quantization": "none"},
            r"unknown option 'quantization' \(an option of pipelines flow, chatterbox\)",
        ),
        ({"version": 2}, "version cannot be 2; choose from 0, 1"),
        ({"version": True}, "version cannot be True"),
        ({"weights": 5}, "weights must be the path of a folder, not 5"),
        ({"nfe_steps": 0}, "nfe_steps must be a whole number from 1 to 128"),
        ({"reference_text": "Hi."}, "reference names none"),
        ({"reference": 3}, "reference must be text, not 3"),
    ):
        with pytest.raises(EngineError, match=words):
            parse_infill_options(options)
    assert len(set(INFILL_OPTIONS)) == len(INFILL_OPTIONS) == 17


def test_a_person_can_try_it_in_two_commands(tmp_path):
    run = CliRunner().invoke
    folder, out = str(tmp_path / "weights"), str(tmp_path / "out.wav")

    made = run(main, ["random-weights", folder, "--small"])
    say = ["say", TEXT, "-o", out, "--pipeline", "infill", "--nfe-steps", "2", "--threads", "1"]
    said = run(
        main, [*say, "--weights", folder, "--reference", str(RECORDING), "--reference-text", SAYS]
    )

    assert made.exit_code == 0 and "no voice" in made.output, made.output
    assert "noise" in (tmp_path / "weights" / "README.txt").read_text()
    assert said.exit_code == 0, said.output
    assert soundfile.info(out).samplerate == SAMPLE_RATE_HZ
    again = run(main, ["random-weights", folder, "--small"])
    assert again.exit_code == 2 and "is not empty" in again.stderr
    for extra, words in (
        ([], "needs weights"),
        (["--weights", folder, "--voice", folder], "name the checkpoint's folder with --weights"),
        (["--weights", folder, "--speaker", "slt"], "unknown option 'speaker'"),
    ):
        done = run(main, [*say, *extra])
        assert done.exit_code == 2 and words in done.stderr, done.output
    flow = run(main, ["say", TEXT, "-o", out, "--weights", folder])
    assert flow.exit_code == 2 and "unknown option 'weights'" in flow.stderr


def test_random_weights_are_the_same_every_time(random_voice, tmp_path):
    write_random_voice(tmp_path / "again", small=True)

    a, b = (
        load_file(each / "model_random.safetensors") for each in (random_voice, tmp_path / "again")
    )
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
