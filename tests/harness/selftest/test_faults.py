"""
The list of faults is complete and in order; what each does is tested beside it (damage,
resynthesis, respeech).
"""

import itertools

from voxgate.harness.selftest.faults import FAULTS, planted_faults


def test_every_fault_can_be_made_and_has_a_name_of_its_own() -> None:
    assert all(fault.change is not None or fault.respeak is not None for fault in FAULTS)
    names = [(fault.name, fault.strength) for fault in FAULTS]
    assert len(set(names)) == len(names)


def test_the_strengths_of_a_fault_follow_each_other_and_rise() -> None:
    together = [name for name, _ in itertools.groupby(fault.name for fault in FAULTS)]
    assert len(set(together)) == len(together)
    assert [fault.strength for fault in FAULTS if fault.name == "noise"] == [
        "40 dB below",
        "30 dB below",
        "20 dB below",
    ]
    assert [fault.strength for fault in FAULTS if fault.name == "dropout"] == [
        "5 ms",
        "20 ms",
        "60 ms",
    ]


def test_of_each_fault_the_greatest_can_be_planted_alone() -> None:
    assert planted_faults(greatest=False) == FAULTS
    greatest = planted_faults(greatest=True)
    assert [fault.name for fault in greatest] == list(dict.fromkeys(f.name for f in FAULTS))
    assert [fault.strength for fault in greatest if fault.name == "noise"] == ["20 dB below"]


def test_only_what_nobody_hears_is_harmless() -> None:
    assert [fault.name for fault in FAULTS if fault.harmless] == [
        "rounding",
        "dither",
        "a little louder",
        "all-pass",
        "there and back",
        "Opus",
        "MP3",
    ]


def test_whatever_an_engine_can_be_asked_for_can_be_done_to_a_recording_too() -> None:
    assert all(fault.change is not None for fault in FAULTS if fault.respeak is not None)
