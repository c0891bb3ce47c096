"""
Language and region are observed in effect; a region that nobody reads is found out, whichever of
its parts is left unread.
"""

from pathlib import Path

import pytest

from voxgate.engine.config import FlowConfig, Language, Region
from voxgate.engine.pipelines import flow
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.harness.audio.accent import slot_sounds
from voxgate.harness.audio.recording import read_recording
from voxgate.harness.records.cell import Request
from voxgate.harness.records.measurement import Missing
from voxgate.harness.targets.engine import language_checks
from voxgate.harness.targets.engine.target import EngineTarget

DATA = Path(__file__).parents[3] / "data"
ZAPATILLA = Request(id="s001", text="Ayer compré dos zapatillas. Hoy llueve.", language="es")
ALIKE = Request(id="s002", text="Mañana como pan.", language="es")
"""Without any sound by which accents differ."""
PARTS = ("phones", "pace", "pitch range")


def _checks(folder, request=ZAPATILLA, **asked):
    asked = {"threads": 1, "nfe_steps": 2, **asked}
    target = EngineTarget()
    target.requested = asked
    target.pipeline = FlowPipeline.load(asked, folder)
    return {effect.option: effect for effect in target.observe(request)}


def _broken(checks):
    return {name for name, check in checks.items() if check.in_effect is False}


@pytest.fixture(autouse=True, name="mute")
def _mute(monkeypatch):
    """What a random voice says sounds like nothing."""
    monkeypatch.setattr(language_checks, "slot_sounds", lambda *_: Missing("random weights"))


@pytest.mark.parametrize("region", list(Region))
def test_an_honest_engine_has_its_language_and_region(spanish_folder, region):
    checks = _checks(spanish_folder, language="es", region=region.value, speaker="hugo", speed=1.2)

    assert _broken(checks) == set()
    assert checks["region"].in_effect
    assert checks["region"].observed.startswith(f"phones, pace and pitch range of {region}")
    assert checks["language"].observed == "es phones, and a voice of 35"
    assert checks["speaker"].observed == "hugo"


def test_english_has_no_region(voice_folder):
    checks = _checks(voice_folder, Request(id="u001", text="Hello there."))

    assert (checks["region"].observed, checks["region"].in_effect) == ("none", True)
    assert checks["language"].observed == "en phones, and a voice of 50"


def _unread(what, monkeypatch):
    if what == "phones":
        read = flow.phonemise
        monkeypatch.setattr(
            flow, "phonemise", lambda text, **how: read(text, **{**how, "region": "es"})
        )
    elif what == "pace":
        monkeypatch.setattr(FlowConfig, "pace", property(lambda config: config.speed))
    else:
        monkeypatch.setattr(Language, "condition", lambda self, name, _: self.speakers.index(name))


def test_lie_a_region_that_nobody_reads(spanish_folder, monkeypatch):
    for part in PARTS:
        _unread(part, monkeypatch)

    checks = _checks(spanish_folder, language="es", region="rioplatense")

    assert _broken(checks) == {"region"}
    assert checks["region"].observed == "phones, pace and pitch range of es"


@pytest.mark.parametrize("what", PARTS)
def test_lie_a_region_of_which_a_part_is_not_read(spanish_folder, monkeypatch, what):
    _unread(what, monkeypatch)

    checks = _checks(spanish_folder, language="es", region="rioplatense")

    assert _broken(checks) == {"region"}
    assert checks["region"].observed == "phones, pace and pitch range of no region"


def test_a_text_that_is_said_alike_proves_no_region(spanish_folder):
    told = _checks(spanish_folder, ALIKE, language="es", region="colombia")["region"]

    assert told.in_effect is None
    assert told.observed == "phones, pace and pitch range of es or colombia"


def test_lie_a_language_that_is_read_by_the_rules_of_another(spanish_folder, monkeypatch):
    read = flow.phonemise

    def english(text, **how):
        chunks = read(text, **{**how, "language": "en"})
        return tuple(
            flow.Chunk(**{**vars_of(chunk), "phones": tuple(phone % 35 for phone in chunk.phones)})
            for chunk in chunks
        )

    def vars_of(chunk):
        return {name: getattr(chunk, name) for name in chunk.__dataclass_fields__}

    monkeypatch.setattr(flow, "phonemise", english)

    assert "language" in _broken(_checks(spanish_folder, language="es"))


SAID = Request(
    id="s003",
    text="Ayer llovió en la plaza y las calles están vacías desde las doce.",
    language="es",
)
"""What the recordings of tests/data/spanish say."""


@pytest.mark.parametrize(
    ("asked", "sounds", "in_effect", "told"),
    [
        ("es", "es", True, "11 of 11 sounds by which accents differ are its own"),
        ("rioplatense", "rioplatense", True, "are its own"),
        ("rioplatense", "es", False, ", most others are those of es"),
        ("es", "rioplatense", False, ", most others are those of rioplatense"),
    ],
)
def test_lie_an_accent_that_is_told_and_not_heard(
    spanish_folder, monkeypatch, asked, sounds, in_effect, told
):
    heard = slot_sounds(read_recording(DATA / "spanish" / f"{sounds}.flac"), SAID.text)
    monkeypatch.setattr(language_checks, "slot_sounds", lambda *_: heard)

    region = _checks(spanish_folder, SAID, language="es", region=asked)["region"]

    assert region.in_effect is in_effect
    assert told in region.observed
