"""Language, region and speaker as options: what belongs together, and what is refused."""

import pytest

from voxgate.engine.alphabet import SPANISH_PHONES, SPANISH_SPEAKERS, SPEAKERS
from voxgate.engine.config import (
    FlowConfig,
    Language,
    Region,
    TokenConfig,
    config_class,
    parse,
    parse_options,
)
from voxgate.engine.config.reels import check_segments
from voxgate.engine.errors import EngineError
from voxgate.engine.text.reel_script import ReelSegment


def test_the_speaker_that_nobody_names_is_the_first_of_the_language():
    assert parse_options({}).speaker == SPEAKERS[0] == FlowConfig().speaker
    assert parse_options({"language": "es"}).speaker == SPANISH_SPEAKERS[0]
    assert parse_options({"language": "es", "speaker": "hugo"}).speaker == "hugo"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"speaker": "lola"}, "speaker lola speaks es, and language is en; choose from slt"),
        ({"language": "es", "speaker": "slt"}, "speaker slt speaks en.*choose from lola, hugo"),
        ({"region": "mexico"}, "region=mexico is an accent of Spanish, and language is en"),
        ({"language": "es", "region": "peru"}, "cannot be 'peru'; choose from es, rioplatense"),
        ({"language": "fr"}, "language cannot be 'fr'; choose from en, es"),
    ],
)
def test_what_does_not_belong_together_is_refused(options, words):
    with pytest.raises(EngineError, match=words):
        parse_options(options)


@pytest.mark.parametrize("pipeline", ["token", "infill", "conversion"])
def test_a_pipeline_without_languages_names_those_that_have_them(pipeline):
    with pytest.raises(
        EngineError, match=r"'language' \(an option of pipelines flow, chatterbox\)"
    ):
        parse(config_class(pipeline), {"language": "es"})


def test_no_other_pipeline_has_the_speakers_of_another_language():
    with pytest.raises(EngineError, match="choose from slt, rms, awb"):
        parse(TokenConfig, {"speaker": "lola"})


def test_a_region_sets_pace_and_pitch_range():
    made = {
        region: parse_options({"language": "es", "region": region, "speaker": "hugo", "speed": 2.0})
        for region in Region
    }

    assert {region: config.pace for region, config in made.items()} == {
        Region.ES: 2.0,
        Region.RIOPLATENSE: 1.5,
        Region.MEXICO: 1.9,
        Region.COLOMBIA: 2.0,
    }
    wide = {region for region, config in made.items() if config.condition == 3}
    assert wide == {Region.RIOPLATENSE}
    assert {config.condition for config in made.values()} == {1, 3}


def test_a_language_knows_its_phones_and_conditions():
    assert (Language.ES.phones, Language.ES.conditions) == (SPANISH_PHONES, 4)
    assert (Language.EN.speakers, Language.EN.conditions) == (SPEAKERS, 3)


def test_the_segments_of_a_reel_are_of_its_language():
    told = [
        ReelSegment(speaker="lola", text="Hola."),
        ReelSegment(speaker="hugo", text="¿Qué tal?"),
    ]

    check_segments(FlowConfig, told, options={"language": "es", "region": "mexico"})
    with pytest.raises(EngineError, match="segment 1: speaker lola speaks es"):
        check_segments(FlowConfig, told)
