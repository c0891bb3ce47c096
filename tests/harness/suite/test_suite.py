import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from voxgate import Suite
from voxgate.harness.errors import HarnessError
from voxgate.harness.suite.suite import known_suites, load_suite

Make = Callable[..., Suite]


def test_cells_are_the_product_of_the_axes_in_their_order(make_suite: Make) -> None:
    suite = make_suite(
        axes={"steps": [32, 8], "speaker": ["slt", "rms"]},
        reference={"steps": 32, "speaker": "slt"},
    )
    expansion = suite.expand()
    assert [cell.slug for cell in expansion.cells] == [
        "steps-32.speaker-slt",
        "steps-32.speaker-rms",
        "steps-8.speaker-slt",
        "steps-8.speaker-rms",
    ]
    assert expansion.reference == "steps-32.speaker-slt"


def test_excluded_cells_are_named_with_their_reason(make_suite: Make) -> None:
    axes = {"steps": [32, 8, 4], "speaker": ["slt", "rms"]}
    without = [
        {"steps": 4, "speaker": "rms", "because": "never shipped"},
        {"steps": 8, "because": "slow"},
    ]
    expansion = make_suite(
        axes=axes, reference={"steps": 32, "speaker": "slt"}, without=without
    ).expand()
    assert expansion.excluded == {
        "steps=8 speaker=slt": "slow",
        "steps=8 speaker=rms": "slow",
        "steps=4 speaker=rms": "never shipped",
    }
    assert len(expansion.cells) == 3


def test_one_exclusion_can_have_its_reason_beside_it(make_suite: Make) -> None:
    assert make_suite(without={"steps": 4}, because="too few").expand().excluded == {
        "steps=4": "too few"
    }


def test_chosen_cells_name_their_options_in_one_order(make_suite: Make) -> None:
    cells = [{"steps": 32}, {"steps": 8, "noise": 0.1}, {"noise": 0.1, "steps": 4}]
    expansion = make_suite(axes={}, cells=cells, reference={"steps": 32}).expand()
    assert [cell.slug for cell in expansion.cells] == [
        "steps-32",
        "steps-8.noise-0.1",
        "steps-4.noise-0.1",
    ]


def test_fixed_options_reach_every_cell_but_no_slug(make_suite: Make) -> None:
    cell = make_suite(fixed={"noise": 0.5}).expand().cells[0]
    assert cell.options == {"noise": 0.5, "steps": 8}
    assert cell.slug == "steps-8"


def test_a_digest_depends_on_what_is_asked_and_on_nothing_else(make_suite: Make) -> None:
    """The figure is fixed here because baselines of other machines carry it."""
    first, second = (make_suite().expand().cells[0].digest() for _ in range(2))
    assert first == second == "ac38b36330fc"
    assert make_suite(name="other").expand().cells[0].digest() == first
    assert make_suite(fixed={"audio_s": 0.2}).expand().cells[0].digest() != first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {}}, r"needs axes=\{\.\.\.\} or cells"),
        ({"axes": {"steps": 8}}, "axis 'steps' must be a list"),
        ({"axes": {"steps": []}}, "axis 'steps' must be a list of one or more"),
        ({"axes": {"steps": [8, None]}}, "option 'steps' has the value None"),
        (
            {"reference": {"stepz": 8}},
            "reference= names stepz, which is no axis; the axes are steps",
        ),
        ({"fixed": {"steps": 8}}, "both fixed and varied: steps"),
        ({"without": {"stepz": 4}, "because": "x"}, "without= names stepz, which is no axis"),
        ({"without": {"steps": 4}}, "needs axis values and a reason"),
        ({"because": "x"}, "because= gives a reason, but without="),
        ({"repeats": 0}, "repeats must be a whole number of at least 1, not 0"),
        ({"repeats": 10_001}, "repeats must be at most 10000, not 10001"),
        ({"iterations": 1.5}, "iterations must be a whole number"),
        ({"min_time_s": -1.0}, "min_time_s must be seconds, 0 or more"),
        ({"min_time_s": float("nan")}, "min_time_s must be seconds, 0 or more"),
        ({"min_time_s": "4"}, "min_time_s must be seconds, 0 or more"),
    ],
)
def test_a_suite_that_cannot_be_meant_is_refused(
    make_suite: Make, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(HarnessError, match=message):
        make_suite(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"reference": {"steps": 16}},
            "reference={'steps': 16} is none of the suite's cells, which are: steps=8; steps=4",
        ),
        ({"without": {"steps": 8}, "because": "x"}, "is none of the suite's cells"),
        ({"without": {"steps": 5}, "because": "x"}, "without={'steps': 5} leaves nothing out"),
        ({"axes": {"steps": [8, 8]}}, "more than once: steps-8"),
        ({"axes": {"steps": [8, "a b"]}}, "axis value 'a b' cannot stand in a cell's name"),
        (
            {"workload": "smokey"},
            "unknown workload 'smokey'; known are conversion, everyday-200, ",
        ),
    ],
)
def test_an_expansion_that_cannot_be_meant_is_refused(
    make_suite: Make, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(HarnessError, match=message.replace("(", r"\(").replace("{", r"\{")):
        make_suite(**changes).expand()


@pytest.mark.parametrize(
    ("changes", "reference"),
    [
        ({}, "steps-8"),
        ({"cells": [{"steps": 2}, {}]}, "default"),
        ({"axes": {}, "cells": [{"steps": 2}, {"steps": 3}]}, "steps-2"),
        ({"reference": {"steps": 4}}, "steps-4"),
        ({"without": {"steps": 8}, "because": "x"}, "steps-4"),
    ],
)
def test_the_engine_as_it_comes_or_the_first_cell_is_the_reference_of_a_suite_without_one(
    make_suite: Make, changes: dict[str, object], reference: str
) -> None:
    assert make_suite(**{"reference": None, **changes}).expand().reference == reference


def test_a_suite_that_leaves_out_every_cell_is_refused(make_suite: Make) -> None:
    without = [{"steps": 8}, {"steps": 4}]
    suite = make_suite(reference=None, without=without, because="x")
    with pytest.raises(HarnessError, match="without= leaves out every cell"):
        suite.expand()


@pytest.mark.parametrize(
    ("target", "pipeline"),
    [("http", "speech"), ("flite", "flite"), ("scripted", "any"), ("mytts.bench:Voice", "any")],
)
def test_the_target_of_a_suite_without_a_pipeline_has_its_own(
    make_suite: Make, target: str, pipeline: str
) -> None:
    suite = make_suite(target=target, pipeline="", fixed={})
    assert [cell.pipeline for cell in suite.expand().cells] == [pipeline] * 2


def test_only_the_engine_of_this_package_needs_a_pipeline(make_suite: Make) -> None:
    with pytest.raises(HarnessError, match="needs pipeline=, such as 'flow'"):
        make_suite(target="engine", pipeline="")


@pytest.fixture
def suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "suites").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "suites"


GOOD = '''"""Is it good?"""
from voxgate import Suite
suite = Suite(pipeline="flow", workload="smoke", axes={"nfe_steps": [8]}, reference={"nfe_steps": 8})
'''  # noqa: E501


def test_a_suite_takes_its_name_from_the_file_and_its_question_from_the_docstring(
    suites: Path,
) -> None:
    (suites / "good.py").write_text(GOOD)
    by_name, by_path = load_suite("good"), load_suite(suites / "good.py")
    assert by_name == by_path
    assert (by_name.name, by_name.question) == ("good", "Is it good?")


def test_an_edited_suite_is_read_anew(suites: Path) -> None:
    """Even within one second and with the same size, when a byte-code cache would not notice."""
    (suites / "good.py").write_text(GOOD)
    load_suite("good")
    (suites / "good.py").write_text(GOOD.replace("8", "4"))
    assert load_suite("good").reference == {"nfe_steps": 4}


def test_an_unknown_suite_is_answered_with_the_known_ones(suites: Path) -> None:
    (suites / "good.py").write_text(GOOD)
    (suites / "conftest.py").write_text("")
    assert known_suites() == ("good",)
    with pytest.raises(HarnessError, match="unknown suite 'bad'; known are good"):
        load_suite("bad")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nsuite = Suite(\n", r"bad\.py:2: not valid Python: '\(' was never closed"),
        ("\n\nsuite = 1 / 0\n", r"bad\.py:3: ZeroDivisionError: division by zero"),
        (
            "from voxgate import Suite\nsuite = Suite(nfe=8)\n",
            r"bad\.py:2: TypeError: .*unexpected keyword argument 'nfe'",
        ),
        (GOOD.replace("[8]", "8"), r"bad\.py:3: axis 'nfe_steps' must be a list"),
        ("raise SystemExit(3)\n", r"bad\.py:1: SystemExit: 3"),
        ("x = 1\n", r"bad\.py must define `suite = Suite\(\.\.\.\)`; it defines suite = None"),
    ],
)
def test_a_broken_suite_file_is_answered_with_file_and_line(
    suites: Path, text: str, message: str
) -> None:
    (suites / "bad.py").write_text(text)
    with pytest.raises(HarnessError, match=message):
        load_suite("bad")


@pytest.mark.parametrize(
    ("modules", "loaded"),
    [
        ("voxgate.harness, voxgate.harness.runner.run_folder", ""),
        (
            "voxgate.harness.runner.runner, voxgate.harness.machine.identity",
            "numpy psutil rich",
        ),  # numpy: the type of audio in targets/protocol.py
    ],
)
def test_importing_the_harness_loads_nothing_heavy(modules: str, loaded: str) -> None:
    heavy = {"torch", "torchao", "scipy", "numpy", "pandas", "psutil", "rich", "voxgate.engine"}
    code = f"import sys, {modules}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded


@pytest.mark.parametrize(
    "wrong", [{"metrics": "snr"}, {"conditions": "telephone"}, {"metrics": [1]}]
)
def test_metrics_and_conditions_are_lists_of_names(
    make_suite: Make, wrong: dict[str, object]
) -> None:
    with pytest.raises(HarnessError, match=f"{next(iter(wrong))} must be a list of names"):
        make_suite(**wrong)


def test_a_judge_is_a_name_and_openai_whisper_unless_a_suite_says_otherwise(
    make_suite: Make,
) -> None:
    assert make_suite().judge == "openai-whisper"
    with pytest.raises(HarnessError, match="judge must be a name, not 3"):
        make_suite(judge=3)


def test_names_that_no_run_folder_could_hold_are_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    with pytest.raises(HarnessError, match=r"the option '\.\./steps' is not a name of letters"):
        Suite(pipeline="p", workload="w", axes={"../steps": [8]}, reference={"../steps": 8})
    text = (
        'from voxgate import Suite\nsuite = Suite(pipeline="p", workload="w", axes={"steps": [8]}, '
        'reference={"steps": 8})\n'
    )
    for name in ("two words.py", ".hidden.py", "Quick_1.py"):
        (tmp_path / name).write_text(text)
    assert load_suite(tmp_path / "Quick_1.py").name == "Quick_1"
    for name in ("two words.py", ".hidden.py"):
        with pytest.raises(HarnessError, match=r"suite's name .* is not a name of letters"):
            load_suite(tmp_path / name)
