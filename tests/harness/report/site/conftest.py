"""Sites that many tests look at; nobody changes them."""

import pytest

from tests.harness.report.site.making import Made, acknowledged, hostile, make_site, usual


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_site(tmp_path_factory.mktemp("usual"), usual(), known=[acknowledged()])


@pytest.fixture(scope="session")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_site(tmp_path_factory.mktemp("hostile"), hostile())
