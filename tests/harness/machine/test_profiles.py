import pytest

from voxgate.harness.errors import HarnessError
from voxgate.harness.machine.doctor import Action, make_knob
from voxgate.harness.machine.profiles import PROFILES, get_profile


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
    assert [make_knob(each.knob, each.want).want for each in required] == [
        each.want for each in required
    ]
    assert len({each.knob for each in required}) == len(required) > 0


@pytest.mark.parametrize("name", PROFILES)
def test_only_boards_refuse_and_only_for_what_a_person_sets(name: str) -> None:
    strict = {each.knob for each in get_profile(name).requires if each.action is Action.REFUSE}
    settings = {"board", "power-mode", "cpu-clocks", "gpu-clocks", "memory-clock"}
    assert strict == (settings if name.startswith("jetson") else set())
