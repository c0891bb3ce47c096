"""The pages of the selftests."""

from tests.harness.report.parsing import Page
from tests.harness.selftest.finding import SEEN, UNSEEN, finding, matrix, trust
from tests.harness.selftest.test_speed_result import trust as of_speed
from voxgate.harness.report.verb_page import verb_page
from voxgate.harness.selftest.page import quality_page, speed_page
from voxgate.harness.selftest.specimens import Kind


def test_slow_downs_are_drawn_with_what_was_found_of_them() -> None:
    of = of_speed()
    found = Page(verb_page(speed_page(of)))
    drawn = [each["aria-label"] or "" for each in found.all("svg") if each.get("role") == "img"]
    assert len(drawn) == 2
    assert all(f"{each.size * 100:g} % slower: called slower in" in drawn[0] for each in of.sizes)
    assert f"{of.curve[0].rounds} rounds" in drawn[1]
    text = found.text()
    assert "limit 5 %" in text
    assert "Noise of the cells" in text
    assert found.open == [] and "style" not in found.attribute_names()


def test_each_fault_has_a_sign_for_each_metric() -> None:
    of = trust(
        matrix(
            finding("click", SEEN),
            finding("noise", UNSEEN, strength="20 dB"),
            finding("rounding", UNSEEN, kind=Kind.HARMLESS),
        )
    )
    found = Page(verb_page(quality_page(of)))
    signs = [each["data-tip"] for each in found.all("td") if "data-tip" in each]
    assert len(signs) == 9
    assert signs[0] == "snr: seen, and it blocks"
    text = found.text()
    assert "NOT TRUSTWORTHY" in text
    assert "2 faults in 8 utterances: overlooked even at its greatest: noise." in text
    assert "click 1 ● · ·" in text
