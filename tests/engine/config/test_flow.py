"""voxgate.engine.config: strict options."""

import pytest

from voxgate.engine.config import OPTIONS, FlowConfig, Precision, Solver, parse_options, parse_words
from voxgate.engine.errors import EngineError


def test_defaults_are_the_dataclass_defaults():
    assert parse_options({}) == FlowConfig()


def test_values_become_the_closed_choices():
    config = parse_options({"solver": "heun", "precision": "bf16", "nfe_steps": 8})

    assert (config.solver, config.precision, config.nfe_steps) == (Solver.HEUN, Precision.BF16, 8)


def test_words_from_a_command_line_are_typed_by_the_default():
    config = parse_words({"nfe_steps": "8", "speed": "1.5", "speaker": "rms"})

    assert (config.nfe_steps, config.speed, config.speaker) == (8, 1.5, "rms")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nfe_step": 8}, ["unknown option 'nfe_step'", "did you mean nfe_steps?", "speaker"]),
        ({"nfe_steps": 0}, ["nfe_steps", "from 1 to 128", "0"]),
        ({"nfe_steps": True}, ["nfe_steps", "whole number", "True"]),
        ({"nfe_steps": 8.5}, ["nfe_steps", "8.5"]),
        ({"nfe_steps": "8"}, ["nfe_steps", "'8'"]),
        ({"speed": float("nan")}, ["speed", "nan"]),
        ({"solver": "rk4"}, ["solver", "'rk4'", "euler, midpoint, heun"]),
        (
            {"grid": "epss", "nfe_steps": 8},
            ["grid epss has no 8 steps", "5, 6, 7, 10, 12, 16", "uniform"],
        ),
        ({"precision": "fp8"}, ["precision", "fp32, tf32, bf16, fp16"]),
        (
            {"grid": "epss", "nfe_steps": 6, "nfe_adaptive": "phones"},
            ["nfe_adaptive=phones", "grid=uniform"],
        ),
        ({"nfe_adaptive": True}, ["nfe_adaptive", "True", "off, phones"]),
        ({"cfg_from": 0.6, "cfg_until": 0.5}, ["cfg_from 0.6", "cfg_until 0.5", "cfg_strength=0"]),
        ({"cfg_until": 1.5}, ["cfg_until", "from 0.0 to 1.0", "1.5"]),
        ({"early_exit": -0.1}, ["early_exit", "-0.1"]),
        ({"speaker": "bob"}, ["speaker", "'bob'", "slt, rms, awb"]),
        ({"device": "tpu"}, ["device", "'tpu'", "cuda:N"]),
        ({"device": "cuda:x"}, ["device", "'cuda:x'"]),
        ({"reference": 5}, ["reference must be text", "5"]),
        ({"reference": "a\0b"}, ["reference must be text"]),
        ({"reference_text": "Hello."}, ["reference names none", "give both or neither"]),
    ],
)
def test_a_wrong_option_is_refused_by_name_and_value(options, words):
    with pytest.raises(EngineError) as error:
        parse_options(options)

    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_word_that_is_no_number_is_refused():
    with pytest.raises(EngineError, match="nfe_steps must be a whole number, not 'many'"):
        parse_words({"nfe_steps": "many"})


def test_importing_the_options_loads_no_torch():
    import subprocess
    import sys

    code = "import sys, voxgate.engine.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_option_is_listed_once():
    assert len(set(OPTIONS)) == len(OPTIONS) == 38
