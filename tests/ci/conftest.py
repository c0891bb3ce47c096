"""A fake GitHub for every test that asks for one, and the environment of a job."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ci.fake_github import REPOSITORY, TOKEN, FakeGitHub, serving
from voxgate.harness.ci.github import GitHub


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with serving(FakeGitHub()) as served:
        yield served


@pytest.fixture
def api(fake: FakeGitHub) -> GitHub:
    return GitHub(api=fake.address, repository=REPOSITORY, token=TOKEN)


@pytest.fixture
def job(
    fake: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], None]:
    """Sets the environment of a job that an event started."""

    def start(event: dict[str, Any]) -> None:
        path = tmp_path / "event.json"
        path.write_text(json.dumps(event))
        for name, value in environment(fake).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))

    return start


def environment(fake: FakeGitHub) -> dict[str, str]:
    return {"GITHUB_API_URL": fake.address, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}
