"""voxgate.engine.pipelines.token, with the random weights of `token_voice`: no voice, noise."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner

from tests.engine.pipelines.token_voice import write_random_token_voice
from voxgate.engine.__main__ import main
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines import pipeline_class
from voxgate.engine.pipelines.pipeline import NoticeKind
from voxgate.engine.pipelines.token import TokenPipeline
from voxgate.engine.text.frontend import phonemise
from voxgate.engine.tokens.generate import generate
from voxgate.engine.weights.token_voice import load_token_voice

SENTENCE = "The ship sails at noon."
LONG = " ".join(f"Chunk number {n} goes by the river and over the old bridge." for n in range(4))


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    return write_random_token_voice(tmp_path_factory.mktemp("random-token-voice"))


@pytest.fixture(name="make")
def _make(folder):
    def make(**options) -> TokenPipeline:
        given = {"threads": 1, "nfe_steps": 2, "max_tokens": 60, **options}
        return TokenPipeline.load(given, folder)

    return make


class Stages:
    """Notes the stages of a synthesis."""

    def __init__(self):
        self.entered = []

    def __call__(self, stage):
        self.entered.append(stage)
        return pytest.MonkeyPatch.context()


def rows_of(pipeline, text=SENTENCE):
    """Return the batch rows of every step of T3."""
    rows, inner = [], pipeline.callable_of("tokens")

    def watch(x, positions, cache):
        rows.append(x.shape[0])
        return inner(x, positions, cache)

    pipeline.replace_callable("tokens", watch)
    pipeline.synthesize(text)
    return rows


def test_the_registry_finds_it():
    assert pipeline_class("token") is TokenPipeline
    assert TokenPipeline.config_class.sampled


def test_a_text_goes_through_the_stages_and_is_heard(make):
    stages = Stages()
    audio = make().synthesize(SENTENCE, watch=stages)

    assert tuple(stages.entered) == TokenPipeline.stages[:5]
    assert audio.dtype == np.float32 and audio.ndim == 1
    assert np.isfinite(audio).all() and np.abs(audio).max() > 0.01


def test_what_is_left_out_of_a_text_is_told_by_its_number(make):
    pipeline = make()
    pipeline.synthesize_each(["Yes.", "No \u65e5."], [{}, {}])

    assert [(told.kind, told.text, told.number) for told in pipeline.notices] == [
        ("dropped", "\u65e5", 1)
    ]


def test_the_same_seed_gives_the_same_audio_and_another_another(make):
    pipeline = make()
    first, again = pipeline.synthesize(SENTENCE), make().synthesize(SENTENCE)
    other = pipeline.synthesize(SENTENCE, {"seed": 9})

    assert np.array_equal(first, again)
    assert other.shape != first.shape or not np.allclose(other, first)


@pytest.mark.parametrize("kind", ["off", "static"])
def test_a_cache_changes_no_sample(make, kind):
    reference = make().synthesize(SENTENCE)

    np.testing.assert_allclose(make(kv_cache=kind).synthesize(SENTENCE), reference, atol=1e-4)


def test_guidance_of_zero_leaves_its_row_out(make):
    assert set(rows_of(make(cfg_weight=0.5))) == {2}
    assert set(rows_of(make(cfg_weight=0.0))) == {1}


@pytest.mark.parametrize("options", [{"batch": 3}, {"workers": 2}, {"batch": 2, "workers": 2}])
def test_batch_and_workers_change_no_sample(make, options):
    plain = make(chunk_characters=80).synthesize(LONG)
    together = make(chunk_characters=80, **options).synthesize(LONG)

    assert together.shape == plain.shape
    np.testing.assert_allclose(together, plain, atol=1e-3)


def test_a_batch_holds_the_rows_of_its_chunks(make):
    assert max(rows_of(make(chunk_characters=80, batch=3, cfg_weight=0.5), LONG)) == 6


@pytest.mark.parametrize("by", ["length", "order"])
def test_several_texts_with_their_own_speakers_are_spoken_as_each_alone(make, by):
    texts = ["One.", SENTENCE, LONG, "And two more."]
    options = [{"speaker": name, "seed": n} for n, name in enumerate(("slt", "rms", "awb", "slt"))]
    pipeline = make(chunk_characters=80, batch=3, batch_by=by)

    together = pipeline.synthesize_each(texts, options)

    for text, overrides, audio in zip(texts, options, together, strict=True):
        np.testing.assert_allclose(audio, pipeline.synthesize(text, overrides), atol=1e-3)


def test_a_batch_of_zero_is_as_large_as_memory_allows(make):
    assert make(batch=0).config.batch > 1


@pytest.fixture(name="recording", scope="module")
def _recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "voice.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000 * 4).astype(np.float32)
    soundfile.write(path, noise, 16_000)
    return path


def test_a_recording_stands_in_front_and_is_not_heard_again(make, recording):
    pipeline, told, frames = make(), [], []
    generate = pipeline.generate
    acoustic, vocoder = pipeline.callable_of("acoustic"), pipeline.callable_of("vocoder")

    def loop(model, forward, texts, *others, **named):
        told.extend(generate(model, forward, texts, *others, **named))
        assert [text.prompt.numel() for text in texts] == [74]
        return told[-1:]

    def flow(noisy, prompt_mel, *others):
        frames.append((noisy.shape[1], int((prompt_mel[0].abs().sum(-1) > 0).sum())))
        assert float(prompt_mel[1].abs().max()) == 0.0  # the unconditional row hears none
        return acoustic(noisy, prompt_mel, *others)

    def voice(mel, *others):
        frames.append(mel.shape[1])
        return vocoder(mel, *others)

    pipeline.generate = loop
    pipeline.replace_callable("acoustic", flow)
    pipeline.replace_callable("vocoder", voice)
    pipeline.synthesize(SENTENCE, {"reference": str(recording)})

    spoken = told[0].codes.numel()
    assert frames[0] == ((74 + spoken) * 5 // 2, 185)
    assert frames[-1] == spoken * 5 // 2


def test_a_recording_that_cannot_be_read_is_refused(make):
    with pytest.raises(EngineError, match=r"reference nowhere\.wav cannot be read"):
        make(reference="nowhere.wav")


def test_the_loop_and_the_sampler_can_be_observed(make):
    pipeline, seen = make(), []
    generate, sampler = pipeline.generate, pipeline.sampler

    def loop(*arguments, **named):
        spoken = generate(*arguments, **named)
        seen.extend(spoken)
        return spoken

    pipeline.generate = loop
    pipeline.sampler = lambda *arguments: seen.append(arguments[0]) or sampler(*arguments)
    pipeline.synthesize(SENTENCE)

    assert seen[0].temperature == pipeline.config.temperature
    assert seen[1].ended


@pytest.mark.parametrize("options", [{}, {"batch": 2}, {"workers": 2, "threads": 2}])
def test_a_chunk_that_max_tokens_cuts_is_told_with_its_text(make, options):
    cut = make(max_tokens=8, **options)
    assert cut.notices == ()
    for chunk in cut.stream(LONG):
        assert len(chunk)
    chunks = phonemise(LONG, max_characters=90)
    assert len(chunks) > 1
    assert [(told.chunk, told.text) for told in cut.notices] == [
        (index, chunk.text) for index, chunk in enumerate(chunks)
    ]
    told = cut.notices[0]
    assert (told.kind, told.option, told.value) == (NoticeKind.CUT, "max_tokens", 8)
    assert told.line().startswith("max_tokens=8 ended the audio before its text: 'chunk number")

    cut.synthesize_each([SENTENCE, LONG], [{}, {}])
    assert [told.number for told in cut.notices] == [0, *[1] * len(chunks)]


def test_a_text_that_ends_by_itself_is_not_told_of(make):
    pipeline = make()

    def ended(value):
        def spoken(model, forward, texts, decoding, **more):
            made = generate(model, forward, texts, decoding, **more)
            return [replace(each, ended=value) for each in made]

        return spoken

    pipeline.generate = ended(False)
    pipeline.synthesize(SENTENCE)
    assert len(pipeline.notices) == 1
    pipeline.generate = ended(True)
    pipeline.synthesize(SENTENCE)
    assert pipeline.notices == ()


@pytest.mark.parametrize(("last", "count"), [(-1, 0), (-2, 1)])
def test_without_an_early_stop_the_pointer_tells_whether_the_text_was_said(make, last, count):
    pipeline = make(early_stop=False)
    phones = len(phonemise(SENTENCE)[0].phones)

    def spoken(model, forward, texts, decoding, **more):
        made = generate(model, forward, texts, decoding, **more)
        return [replace(each, ended=False, pointer=(0, phones + last)) for each in made]

    pipeline.generate = spoken
    pipeline.synthesize(SENTENCE)
    assert len(pipeline.notices) == count


@pytest.mark.parametrize(
    ("command", "words"), [("say", "note     max_tokens=8"), ("reel", "note     segment 2: max_to")]
)
def test_the_commands_print_a_chunk_that_was_cut(folder, tmp_path, command, words):
    script = tmp_path / "reel.txt"
    script.write_text(f"slt: {SENTENCE}\nrms: {SENTENCE}\n")
    what = SENTENCE if command == "say" else str(script)
    few = ["--max-tokens", "8", "--nfe-steps", "2", "--threads", "1"]
    said = [command, what, "-o", str(tmp_path / "x.wav"), "--pipeline", "token"]

    done = CliRunner().invoke(main, [*said, "--voice", str(folder), *few])

    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.output.splitlines() if line.startswith(words)]
    assert line.endswith(f"{phonemise(SENTENCE)[0].text!a}")


def test_speed_is_the_pace_that_the_model_is_told(make):
    pipeline, told = make(), []
    generate = pipeline.generate

    def loop(model, forward, texts, *others, **named):
        told.extend(text.stretch for text in texts)
        return generate(model, forward, texts, *others, **named)

    pipeline.generate = loop
    usual = pipeline.synthesize(SENTENCE)
    faster = pipeline.synthesize(SENTENCE, {"speed": 1.15})

    assert told == [1.15, 1.0]
    assert not np.array_equal(faster, usual)


@pytest.mark.parametrize("model", ["tokens", "acoustic", "vocoder"])
def test_each_model_has_its_own_arithmetic(make, model):
    pipeline = make(**{f"precision_{model}": "bf16"})

    dtypes = {name: next(each.parameters()).dtype for name, each in pipeline.models.items()}
    assert dtypes == {name: torch.bfloat16 if name == model else torch.float32 for name in dtypes}
    assert np.isfinite(pipeline.synthesize(SENTENCE)).all()


def test_int8_weights_of_one_model_leave_the_others(make):
    pytest.importorskip("torchao")
    pipeline = make(quantization_tokens="int8-weight-only")
    applied = {each.option: each.effect for each in pipeline.applied}

    assert applied["quantization_tokens"].startswith("9 Linear layers")
    assert applied["quantization_acoustic"] == "nothing"
    assert np.isfinite(pipeline.synthesize(SENTENCE)).all()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"compile": "default"}, "kv_cache=static"),
        ({"compile": "default", "kv_cache": "static", "workers": 2}, "workers=1"),
        ({"compile": "default", "kv_cache": "static", "batch": 2}, "batch=1"),
        ({"compile": "reduce-overhead", "kv_cache": "static"}, "CUDA graphs"),
        ({"precision_tokens": "tf32"}, "choose from fp32, bf16, fp16"),
        ({"quantization_vocoder": "int8-dynamic", "precision_vocoder": "fp16"}, "fp32 or bf16"),
        ({"grid": "epss", "nfe_steps": 8}, "epss"),
        ({"cfg_weight": -1.0}, "cfg_weight must be"),
    ],
)
def test_options_that_cannot_work_are_refused_with_a_reason(folder, options, reason):
    with pytest.raises(EngineError, match=reason):
        TokenPipeline.load(options, folder)


def test_a_chunk_of_too_many_phones_is_refused(make):
    with pytest.raises(EngineError, match="smaller chunk_characters"):
        make(chunk_characters=200).synthesize("w " * 90)


def test_a_voice_without_its_files_is_refused(tmp_path):
    with pytest.raises(EngineError, match=r"tokenizer\.safetensors do not exist"):
        load_token_voice(tmp_path)


def test_states_of_another_width_are_refused(folder, tmp_path):
    for path in folder.iterdir():
        if path.name not in ("acoustic.safetensors", "vocoder.safetensors"):
            (tmp_path / path.name).write_bytes(path.read_bytes())

    with pytest.raises(EngineError, match="16 channels"):
        load_token_voice(tmp_path)


@pytest.mark.slow
def test_a_compiled_step_gives_the_same_audio(make):
    plain = make(kv_cache="static", max_tokens=30)
    compiled = make(kv_cache="static", compile="default", max_tokens=30)

    np.testing.assert_allclose(compiled.synthesize(SENTENCE), plain.synthesize(SENTENCE), atol=1e-3)
    assert compiled.applied[-1].effect.startswith("the step of one token by torch.compile")
