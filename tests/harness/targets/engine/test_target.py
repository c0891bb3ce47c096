"""
voxgate.harness.targets.engine.target: options are checked without torch, refusals carry the
engine's words.
"""

import contextlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from voxgate.engine.config import FlowConfig
from voxgate.engine.pipelines.pipeline import Pipeline
from voxgate.engine.text.frontend import phonemise
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.cell import Cell, Request, Workload
from voxgate.harness.records.run import FailureKind
from voxgate.harness.runner.failures import classify
from voxgate.harness.targets.engine.output_checks import reading_of
from voxgate.harness.targets.engine.target import EngineTarget


def _cell(**axes):
    workload = Workload(name="w", requests=(Request(id="u001", text="Hello."),))
    return Cell(suite="s", target="engine", pipeline="flow", workload=workload, axes=axes)


def test_an_unknown_option_lists_the_known_ones():
    with pytest.raises(HarnessError, match=r"unknown option 'nfe'.*nfe_steps"):
        EngineTarget.check_options("flow", {"nfe": 3})


def test_an_unknown_pipeline_lists_the_known_ones():
    with pytest.raises(HarnessError, match=r"unknown pipeline 'waves'.*flow"):
        EngineTarget.check_options("waves", {})


def test_options_are_checked_without_loading_torch():
    code = """
import sys
from voxgate.harness.targets.engine.target import EngineTarget

EngineTarget.check_options("flow", {"nfe_steps": 8})
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_configuration_that_cannot_work_is_refused_in_the_engines_words():
    with pytest.raises(HarnessError, match="precision tf32"):
        EngineTarget().load(_cell(precision="tf32"), {"device": "cpu", "threads": 1})


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        (
            "Hello \u65e5\u65e5.",
            None,
            (("dropped", "\u65e5\u65e5"), ("spoken", "hello.")),
        ),
        ("Hello [slow] there.", "request r: the text holds the tag '\\[slow\\]'", ()),
    ],
)
def test_what_is_left_out_is_told_and_a_tag_fails_the_cell_as_refused(text, error, told):
    class Texts(Pipeline):
        """The front-end alone."""

        config_class, stages, models, load = FlowConfig, (), {}, None
        config, crossfade_samples = FlowConfig(), 0

        def stream(self, text, options=None, watch=None):
            self.begin()
            self.tell_dropped(phonemise(text))
            yield np.ones(9, np.float32)

    target = EngineTarget()
    target.pipeline = Texts()
    spoken = target.synthesize(Request(id="r", text=text), contextlib.nullcontext)
    if error is None:
        list(spoken)
    else:
        with pytest.raises(HarnessError, match=error) as caught:
            list(spoken)
        assert classify(caught.value).kind is FailureKind.REFUSED
    assert target.notices == told


@pytest.mark.slow
def test_the_profile_gives_defaults_and_the_cell_wins():
    target = EngineTarget()
    target.load(_cell(nfe_steps=2, threads=1), {"device": "cpu", "threads": 2})

    assert target.effective()["threads"] == 1
    assert target.effective()["nfe_steps"] == 2
    assert set(map(type, target.effective().values())) <= {str, int, float, bool}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Hello, it isn't far.", ()),
        ("Call 1407 (room two).", ("call fourteen oh seven, room two.",)),
        ("Dr. Smith pays $5.", ("doctor smith pays five dollars.",)),
        ("", ()),
        ("\u4eca\u65e5", ()),
    ],
)
def test_the_words_that_the_front_end_reads_are_told_where_the_text_has_others(text, parts):
    assert reading_of(text) == parts


@pytest.mark.parametrize(("pipeline", "told"), [("flow", True), ("token", True), ("infill", False)])
def test_a_pipeline_with_our_front_end_tells_its_reading(pipeline, told):
    target = EngineTarget()
    target.pipeline = SimpleNamespace(config=SimpleNamespace(pipeline=pipeline))
    target._told, target._text = (("cut", "x"),), "No. 7 is here."
    reading = (("spoken", "number seven is here."),) if told else ()
    assert target.notices == (("cut", "x"), *reading)
    target._text = ""
    assert target.notices == (("cut", "x"),)
