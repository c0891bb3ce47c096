"""An option is one line: validation, help and the reference page follow from its field."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from voxgate.engine.config import (
    FlowConfig,
    InfillConfig,
    PipelineConfig,
    Solver,
    config_class,
    config_names,
    option,
    option_spec,
    options_of,
    parse,
    parse_typed,
    register_config,
)
from voxgate.engine.config.option_spec import OptionSpec
from voxgate.engine.config.page import help_of
from voxgate.engine.errors import EngineError

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyConfig(PipelineConfig):
    pipeline: ClassVar[str] = "tiny"

    layers: int = option(2, range=(1, 8), help="layers of the model")
    gain: float = option(1.0, range=(0.0, 2.0), help="of the audio", per_request=True)
    solver: Solver = option(Solver.EULER, help="of the flow")
    loud: bool = option(False, help="twice the gain")
    folder: str = option("", text="the path of a folder", help="of the weights")


def test_every_option_declares_what_its_value_may_be():
    for name in config_names():
        for spec in options_of(config_class(name)).values():
            assert spec.help, spec.name
            assert spec.choices or spec.range or spec.kind in (str, bool), spec.name
            assert spec.checked(spec.default) == spec.default, spec.name


def test_values_are_checked_by_the_line_that_declares_them():
    made = parse(TinyConfig, {"layers": 8, "gain": 2, "solver": "heun", "loud": True})
    assert made == TinyConfig(layers=8, gain=2.0, solver=Solver.HEUN, loud=True)
    assert type(made.gain) is float
    words = {"layers": "3", "gain": "0.5", "loud": "true", "folder": "w"}
    assert parse_typed(TinyConfig, words) == TinyConfig(layers=3, gain=0.5, loud=True, folder="w")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": 9}, "layers must be a whole number from 1 to 8, not 9"),
        ({"layers": True}, "layers must be a whole number from 1 to 8, not True"),
        ({"gain": "1"}, "gain must be a number from 0.0 to 2.0, not '1'"),
        ({"solver": 1}, "solver cannot be 1; choose from euler, midpoint, heun"),
        ({"solver": ["euler"]}, r"solver cannot be \['euler'\]"),
        ({"loud": 1}, "loud must be true or false, not 1"),
        ({"folder": 1}, "folder must be the path of a folder, not 1"),
        ({"layer": 1}, "unknown option 'layer' of pipeline tiny; did you mean layers.*Known: lay"),
        (
            {"nfe_steps": 1},
            r"'nfe_steps' \(an option of pipelines flow, chatterbox, infill, token\)",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_value(options, words):
    with pytest.raises(EngineError, match=words):
        parse(TinyConfig, options)


@pytest.mark.parametrize(
    ("words", "message"),
    [({"loud": "perhaps"}, "loud must be true or false"), ({"gain": "x"}, "gain must be a number")],
)
def test_a_wrong_word_is_refused(words, message):
    with pytest.raises(EngineError, match=message):
        parse_typed(TinyConfig, words)


def test_one_line_changes_validation_help_and_page(monkeypatch):
    monkeypatch.setattr(option_spec, "_CONFIGS", dict(option_spec._CONFIGS))
    register_config(TinyConfig)

    assert config_class("tiny") is TinyConfig
    assert help_of("layers", ("tiny",)) == "layers of the model [1 to 8; default 2]"
    assert help_of("folder", ("tiny", "flow")) == "tiny only: of the weights [default none]"
    assert help_of("nfe_steps", ("flow", "infill")).endswith("[1 to 128; default 16, infill: 32]")
    assert help_of("temperature", ("chatterbox", "token")) == (
        "of sampling; 0 is greedy | token: of the draw of a speech token; 0 takes the most "
        "probable one [0.0 to 5.0 | token: 0.0 to 2.0; default 0.8, token: 0.5]"
    )
    assert help_of("speed", ("flow", "infill", "token")).endswith(
        "[0.5 to 2.0 | token: 0.88 to 1.15; default 1.0]"
    )
    with pytest.raises(
        EngineError,
        match="unknown pipeline 'other'; known: flow, chatterbox, conversion, rvc, infill, token",
    ):
        config_class("other")


def test_infill_has_the_rules_of_flow_for_what_they_share():
    flow, infill = options_of(FlowConfig), options_of(InfillConfig)
    shared = flow.keys() & infill.keys()

    assert len(shared) == 15
    for name in shared:
        assert _rules(flow[name]) == _rules(infill[name]), name


def _rules(spec: OptionSpec) -> tuple[object, ...]:
    return (spec.kind, spec.range, spec.choices, spec.text, spec.auto, spec.per_request)


def test_the_reference_page_is_fresh():
    done = subprocess.run(
        [sys.executable, "-m", "voxgate.engine", "options", "--markdown"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")

    assert page == done.stdout, "run: python -m voxgate.engine options --markdown > docs/options.md"
