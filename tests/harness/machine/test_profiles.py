import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.machine import trees
from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.checks.check import CheckState, SystemRoot
from voxgate.harness.machine.doctor import Action, examine, make_check, refuse_unfit
from voxgate.harness.machine.profiles import (
    PROFILES,
    VARIABLES,
    Profile,
    ProfileFile,
    get_profile,
    name_of_changed,
)

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "docs" / "examples" / "profiles").glob("*.toml"))
MINIMAL = 'name = "mine"\nabout = "a box"\nbase = "cuda"\n'


def test_the_default_profile_is_the_quiet_one() -> None:
    profile = get_profile()
    assert profile.name == "cpu-gate"
    assert profile.pin
    assert profile.defaults == {"device": "cpu", "threads": 1}
    assert profile.env["OMP_NUM_THREADS"] == "1"
    assert "glibc.malloc.hugetlb=1" in profile.env["GLIBC_TUNABLES"]


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_tells_libraries_as_many_threads_as_it_tells_the_engine(name: str) -> None:
    profile = get_profile(name)
    assert profile.name == name
    assert profile.env["OMP_NUM_THREADS"] == str(profile.defaults["threads"])


def test_an_unknown_profile_is_answered_with_the_known_ones() -> None:
    with pytest.raises(HarnessError, match="unknown profile 'gpu'; known are cpu-gate, cpu, cuda"):
        get_profile("gpu")


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_requires_only_knobs_that_exist_each_once(name: str) -> None:
    required = get_profile(name).requires
    assert [make_check(each.check, each.want).want for each in required] == [
        each.want for each in required
    ]
    assert len({each.check for each in required}) == len(required) > 0


@pytest.mark.parametrize("name", PROFILES)
def test_only_boards_refuse_and_only_for_what_a_person_sets(name: str) -> None:
    strict = {each.check for each in get_profile(name).requires if each.action is Action.REFUSE}
    settings = {"board", "power-mode", "cpu-clocks", "gpu-clocks", "memory-clock"}
    assert strict == (settings if name.startswith("jetson") else set())


def read(tmp_path: Path, text: str) -> Profile:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return get_profile(str(path))


def example(name: str) -> Profile:
    return get_profile(str(ROOT / "docs" / "examples" / "profiles" / f"{name}.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads_and_its_knobs_exist_each_once(path: Path) -> None:
    profile = get_profile(str(path))
    assert re.fullmatch(rf"{path.stem}\.[0-9a-f]{{8}}", profile.name)
    assert profile.env["OMP_NUM_THREADS"] == str(profile.defaults["threads"])
    assert len({each.check for each in profile.requires}) == len(profile.requires)


@pytest.mark.parametrize(
    ("name", "tree"),
    [
        ("thor", trees.agx_orin),
        ("orin-nx", trees.orin_nano),
        ("orin-nano-super", trees.orin_nano),
        ("cloud-a10g", trees.workstation),
    ],
)
def test_an_example_refuses_another_device_or_mode(
    tmp_path: Path, name: str, tree: Callable[[Path], SystemRoot]
) -> None:
    profile, machine = example(name), tree(tmp_path)
    with pytest.raises(HarnessError, match=f"this machine is not fit for profile {name}"):
        refuse_unfit(profile.name, profile.requires, machine)


def test_a_thor_an_orin_nx_and_a_nano_in_maxn_super_fit_theirs(tmp_path: Path) -> None:
    refuse_unfit("thor", example("thor").requires, trees.thor(tmp_path / "thor"))
    nx = trees.orin_nano(tmp_path / "nx")
    compatible = "proc/device-tree/compatible"
    trees.write(nx.root, {compatible: "nvidia,p3768-0000+p3767-0000\0nvidia,tegra234\0"})
    trees.write(nx.root, {"proc/device-tree/nvidia,dtsfilename": None})
    refuse_unfit("nx", example("orin-nx").requires, nx)
    nano = trees.orin_nano(tmp_path / "nano")
    free = {
        f"{trees.CPUS}/cpu{n}/cpufreq/{name}": 1_728_000
        for n in range(6)
        for name in ("scaling_min_freq", "scaling_max_freq", "scaling_cur_freq")
    }
    gpu = trees.gpu_clock("17000000.gpu", "gpu", *[1_020_000_000] * 3, steps="1020000000")
    trees.write(nano.root, {"var/lib/nvpmodel/status": "pmode:0002", **free, **gpu})
    refuse_unfit("nano", example("orin-nano-super").requires, nano)


@pytest.mark.parametrize(
    ("name", "answers", "state"),
    [
        ("gpu-power", {"GetEnforcedPowerLimit": 300_000}, CheckState.FIT),
        ("gpu-power", {"GetEnforcedPowerLimit": 250_000}, CheckState.UNFIT),
        ("gpu-clock", {"GetClockInfo": 1395, "GetMaxClockInfo": 1710}, CheckState.FIT),
        ("gpu-clock", {"GetClockInfo": 900, "GetMaxClockInfo": 1710}, CheckState.UNFIT),
    ],
)
def test_a_cloud_gpu_is_held_against_the_limits_that_its_file_names(
    tmp_path: Path, name: str, answers: dict[str, int], state: CheckState
) -> None:
    whole = {**trees.H200, **answers}
    machine: SystemRoot = trees.with_gpu(trees.workstation(tmp_path).root, **whole)
    found = examine("x", "here", example("cloud-a10g").requires, machine, lambda: None)
    states = {each.requirement.check: each.answer.state for each in found.findings}
    assert states[name] is state
    assert states["gpu"] is CheckState.UNFIT  # an H200
    assert found.exit_code == 2


def test_a_file_changes_its_base_only_in_what_it_names(tmp_path: Path) -> None:
    text = MINIMAL + 'threads = 3\n[env]\nOMP_PROC_BIND = "close"\n'
    made, base = read(tmp_path, text), get_profile("cuda")
    assert made.defaults == {"device": "cuda", "threads": 3}
    assert made.env == {
        **base.env,
        **{name: "3" for name, value in base.env.items() if value == "1"},
        "OMP_PROC_BIND": "close",
    }
    assert (made.requires, made.live, made.loading) == (base.requires, base.live, base.loading)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks name"),
        ('name = "mine"', "lacks about"),
        (MINIMAL + "speed = 1", 'unknown key "speed"'),
        (MINIMAL + "threads = 0", "threads: 0 must be at least 1"),
        (MINIMAL + "threads = 1e9", "threads"),
        (MINIMAL + "threads = true", "threads"),
        (MINIMAL + 'workers_alive = "4 GB"', "workers_alive: must be a whole number"),
        (MINIMAL + "workers_alive = 65", "must be at most 64"),
        (MINIMAL + "pin = 1", "pin: must be true or false"),
        (MINIMAL + 'device = "tpu"', "is not cpu, cuda or cuda:N"),
        (MINIMAL.replace("mine", "cuda"), "'cuda' is a built-in profile's"),
        (MINIMAL.replace("mine", "../x"), "is not a name"),
        (MINIMAL.replace('"cuda"', '"gpu"'), "base 'gpu' is none of cpu-gate"),
        (MINIMAL + '[env]\nLD_PRELOAD = "/tmp/x.so"', "LD_PRELOAD"),
        (MINIMAL + '[env]\nOMP_NUM_THREADS = "7"', "OMP_NUM_THREADS"),
        (MINIMAL + '[env]\nOMP_PLACES = "a\\nb"', "one line"),
        (MINIMAL + '[[require]]\nknob = "gpu-heat"', "check 'gpu-heat' does not exist"),
        (MINIMAL + '[[require]]\nknob = "gpu-power"\nwant = "300 kW"', "300 W"),
        (MINIMAL + '[[require]]\nknob = "gpu-power"\nwant = "0 W"', "up to 10000 W"),
        (MINIMAL + '[[require]]\nknob = "gpu-clock"\nwant = "1.4 GHz"', "MHz"),
        (MINIMAL + '[[require]]\nknob = "load"\nwant = "1"', "this check takes none"),
        (MINIMAL + '[[require]]\nknob = "board"', "must be a part number"),
        (MINIMAL + '[[require]]\nknob = "board"\nwant = "(a+)+$"', "must be a part number"),
        (MINIMAL + '[[require]]\nknob = "board"\nwant = "[z-a]"', "must be a part number"),
        (MINIMAL + '[[require]]\nknob = "gpu"\nwant = "A10G|"', "must be a GPU"),
        (MINIMAL + '[[require]]\nknob = "gpu"\naction = "stop"', "action"),
        (MINIMAL + '[[require]]\nknob = "gpu"\n[[require]]\nknob = "gpu"', "more than once"),
        ("name = ", "cannot be read"),
        ("a = " + "[" * 5000, "cannot be read"),
    ],
)
def test_a_wrong_file_is_one_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(HarnessError) as found:
        read(tmp_path, text)
    told = str(found.value)
    assert said in told and "mine.toml" in told and "\n" not in told, told


def test_a_file_that_is_not_there_is_one_line() -> None:
    with pytest.raises(HarnessError, match=r"the profile nowhere\.toml cannot be read"):
        get_profile("nowhere.toml")


def test_the_digest_changes_with_settings_and_not_with_words(tmp_path: Path) -> None:
    first = read(tmp_path, MINIMAL).name
    assert read(tmp_path, "# a comment\n" + MINIMAL.replace("a box", "another")).name == first
    second = read(tmp_path, MINIMAL + "threads = 2").name
    assert second != first
    assert name_of_changed(first, second) == "mine"
    assert name_of_changed(first, first) == ""
    assert name_of_changed(first, "cuda") == name_of_changed("cpu", "cuda") == ""


def test_the_page_documents_every_key_variable_and_built_in_profile() -> None:
    page = (ROOT / "docs" / "profiles.md").read_text()
    keys = [*ProfileFile.__dataclass_fields__, *VARIABLES, *PROFILES]
    assert [name for name in keys if not re.search(rf"`(\[+)?{name}(\]+)?`", page)] == []
