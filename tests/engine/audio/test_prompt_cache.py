"""
voxgate.engine.audio.prompt_cache: a recording is worked out once, whatever its file is called.
"""

import pytest

from voxgate.engine.audio import prompt_cache
from voxgate.engine.audio.prompt_cache import PromptCache
from voxgate.engine.errors import EngineError


@pytest.fixture(name="worked_out")
def _worked_out():
    return []


@pytest.fixture(name="prompts")
def _prompts(worked_out):
    def encode(content, text, speaker):
        worked_out.append((content, text, speaker))
        return object()

    return PromptCache(encode)


@pytest.fixture(name="file")
def _file(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    return path


def test_without_a_reference_there_is_no_prompt(prompts, worked_out):
    assert prompts.get("", "") is None
    assert worked_out == []


def test_the_same_recording_is_worked_out_once_whatever_its_name(
    prompts, worked_out, file, tmp_path
):
    (tmp_path / "b.wav").write_bytes(b"one")

    first = prompts.get(str(file), "Hello.")

    assert prompts.get(str(file), "Hello.") is first
    assert prompts.get(str(tmp_path / "b.wav"), " Hello. ") is first
    assert worked_out == [(b"one", "Hello.", "")]


def test_other_content_another_text_and_another_speaker_are_other_prompts(
    prompts, worked_out, file
):
    prompts.get(str(file), "Hello.", "slt")
    prompts.get(str(file), "Goodbye.", "slt")
    prompts.get(str(file), "Hello.", "rms")
    file.write_bytes(b"two")
    prompts.get(str(file), "Hello.", "slt")

    assert [content for content, _, _ in worked_out] == [b"one", b"one", b"one", b"two"]


def test_only_those_last_used_are_kept(prompts, worked_out, file, monkeypatch):
    monkeypatch.setattr(prompt_cache, "MAX_PROMPTS", 2)
    for text in ("a", "b", "a", "c", "a", "b"):
        prompts.get(str(file), text)

    assert [text for _, text, _ in worked_out] == ["a", "b", "c", "b"]


def test_a_failure_names_the_file_and_is_not_remembered(file):
    def refuse(content, text, speaker):
        raise EngineError("too short")

    prompts = PromptCache(refuse)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"a.wav: too short"):
            prompts.get(str(file), "Hello.")
