"""What a tree says of its build and of its needs."""

from pathlib import Path

import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.revisions import build_recipe, requirements


def project(folder: Path, text: str, setup: str | None = None) -> Path:
    (folder / "pyproject.toml").write_text(text)
    if setup is not None:
        (folder / "setup.py").write_text(setup)
    return folder


@pytest.mark.parametrize(
    ("text", "setup", "compiled"),
    [
        ("[project]\nname = 'a'\n", None, False),
        ("", "from setuptools import setup\nsetup(name='a')\n", False),
        ("", "from setuptools import setup\nsetup(ext_modules=build())\n", True),
        ("", "from torch.utils.cpp_extension import CUDAExtension\n", True),
        ("[build-system]\nrequires = ['maturin>=1']\nbuild-backend = 'maturin'\n", None, True),
        (
            "[build-system]\nrequires = ['scikit-build-core']\nbuild-backend = "
            "'scikit_build_core.build'\n",
            None,
            True,
        ),
        (
            "[build-system]\nrequires = ['setuptools', 'Cython>=3']\nbuild-backend = "
            "'setuptools.build_meta'\n",
            None,
            True,
        ),
        (
            "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n",
            None,
            False,
        ),
        ("[[tool.setuptools.ext-modules]]\nname = 'a'\nsources = ['a.c']\n", None, True),
    ],
)
def test_a_project_that_compiles_is_known_by_its_own_words(
    tmp_path: Path, text: str, setup: str | None, compiled: bool
) -> None:
    assert build_recipe.recipe(project(tmp_path, text, setup)).compiled is compiled


def test_commands_are_lists_of_words_and_nothing_else(tmp_path: Path) -> None:
    how = build_recipe.recipe(
        project(
            tmp_path, "[tool.voxgate]\nbuild = ['make', 'all']\ninstall = [['a', 'b'], ['c']]\n"
        )
    )
    assert (how.build, how.install, how.is_installed) == (
        (("make", "all"),),
        (("a", "b"), ("c",)),
        True,
    )
    for wrong in (
        "build = 'make all'",
        "build = [[]]",
        "install = [['a', 1]]",
        "built = [['make']]",
        "shared = 'a'",
        "shared = ['/etc']",
        "shared = ['../x']",
    ):
        with pytest.raises(
            HarnessError,
            match=r"pyproject\.toml, \[tool\.voxgate\]: .*; correct it in that revision",
        ):
            build_recipe.recipe(project(tmp_path, f"[tool.voxgate]\n{wrong}\n"))


def test_requirements_are_held_against_what_is_installed() -> None:
    assert requirements.unmet(["numpy>=1", "no-such-package ; python_version < '3'"]) == ()
    told = requirements.unmet(
        ["numpy>=99", "no-such-package", "numpy @ file:///elsewhere/numpy.whl"]
    )
    assert told[0].startswith("numpy>=99 (installed is ")
    assert told[1:] == (
        "no-such-package (not installed)",
        "numpy @ file:///elsewhere/numpy.whl (installed from an index)",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "dependencies = ['a b c']",
        "dependencies = 'numpy'",
        "dependencies = ['--index-url=x']",
        "[tool]\nvoxgate = 3",
    ],
)
def test_what_is_no_requirement_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(HarnessError, match=r"pyproject\.toml: .*; correct it in that revision"):
        requirements.required(project(tmp_path, f"[project]\nname = 'a'\n{wrong}\n"))


@pytest.mark.parametrize(
    ("asked", "words"), [(">=99", "requires Python >=99, and this is 3"), ("new", "means nothing")]
)
def test_another_python_is_refused(tmp_path: Path, asked: str, words: str) -> None:
    with pytest.raises(HarnessError, match=words):
        requirements.check_python(
            project(tmp_path, f"[project]\nname = 'a'\nrequires-python = '{asked}'\n")
        )
