"""
An older database is brought up with all that is in it; a newer one is refused; the steps make
exactly the tables.
"""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, inspect, text

from tests.harness.history.entries import entry
from voxgate.harness.errors import HarnessError
from voxgate.harness.history.database import STEPS, current, make_engine, migrate, open_history
from voxgate.harness.history.tables import METADATA, REVISION
from voxgate.harness.history.url import parse_url

FIRST = "r0001"


def engine_of(url: str) -> Engine:
    return make_engine(parse_url(url))


def steps() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(STEPS))
    return ScriptDirectory.from_config(config)


def test_the_steps_end_at_the_revision_that_is_asked_for() -> None:
    assert steps().get_heads() == [REVISION]
    assert [step.revision for step in steps().walk_revisions()][-1] == FIRST


def test_the_steps_make_exactly_the_tables(empty_url: str) -> None:
    with open_history(empty_url):
        pass
    engine = engine_of(empty_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert "point_number_or_reason" in {
            constraint["name"] for constraint in inspect(connection).get_check_constraints("point")
        }
    engine.dispose()


def test_a_database_of_the_first_revision_is_brought_up_and_keeps_its_runs(empty_url: str) -> None:
    engine = engine_of(empty_url)
    migrate(engine, FIRST)
    then = MetaData()
    then.reflect(engine)
    assert "vote" not in then.tables
    fill(engine, then)

    with open_history(empty_url) as history:
        assert history.entry(1).head == "3fa1c2e"
        assert history.points()["value"].tolist() == [0.25]
        assert history.votes() == []
        assert history.append(entry(2))
        assert [run.id for run in history.runs()] == [1, 2]
    engine.dispose()


def fill(engine: Engine, then: MetaData) -> None:
    texts = dict.fromkeys(
        ("source", "suite", "profile", "machine", "line", "baseline", "folder", "question"), "old"
    )
    run = {
        "digest": "0" * 64,
        "head": "3fa1c2e",
        "created": "2026-01-01T00:00:00+00:00",
        "environment": {},
        "complete": True,
    }
    cell = {
        "run_id": 1,
        "cell": "nfe-8",
        "position": 0,
        "label": "nfe=8",
        "config": {},
        "effective": {},
        "effects": [],
    }
    series = {
        "suite": "old",
        "profile": "old",
        "machine": "old",
        "cell": "nfe-8",
        "metric": "rtf",
        "unit": "s/s",
    }
    with engine.begin() as connection:
        connection.execute(then.tables["run"].insert().values(**texts, **run))
        connection.execute(then.tables["cell"].insert().values(**cell, reason="", notes=""))
        connection.execute(
            then.tables["series"]
            .insert()
            .values(**series, label="nfe=8", better="lower", version="1")
        )
        point = {"run_id": 1, "series_id": 1, "value": 0.25, "n": 3, "reason": "", "version": "1"}
        connection.execute(then.tables["point"].insert().values(**point))


def test_a_newer_schema_is_refused_in_one_line_and_left_alone(empty_url: str) -> None:
    with open_history(empty_url) as history:
        history.append(entry(1))
    engine = engine_of(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))

    with pytest.raises(
        HarnessError,
        match=r"has schema r9999, which this voxgate .* does not know; upgrade voxgate",
    ):
        open_history(empty_url)

    with engine.connect() as connection:
        assert current(connection) == "r9999"
        assert connection.execute(text("SELECT count(*) FROM run")).scalar_one() == 1
    engine.dispose()


def test_a_step_that_fails_leaves_the_schema_as_it_was(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    real = op.create_table

    def failing(name: str, *columns: object, **options: object) -> object:
        if name == "vote":
            raise OSError(28, "No space left on device")
        return real(name, *columns, **options)

    monkeypatch.setattr(op, "create_table", failing)
    with pytest.raises(HarnessError, match=r"cannot open the history .*No space left on device"):
        open_history(empty_url)
    engine = engine_of(empty_url)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    engine.dispose()

    monkeypatch.undo()
    with open_history(empty_url) as history:
        assert history.append(entry(1))


def test_the_steps_travel_with_the_package() -> None:
    """What `pip install` would take: packages that setuptools finds by their __init__."""
    for folder in (STEPS, STEPS / "versions"):
        assert (folder / "__init__.py").is_file()
    assert {
        path.parent
        for path in STEPS.rglob("*")
        if path.suffix not in (".py", ".pyc") and path.is_file()
    } == set()


def test_a_history_that_stands_at_its_revision_is_opened_without_alembic(
    migrated_file: Path,
) -> None:
    url = f"sqlite:///{migrated_file}"
    code = (
        f"import sys; from voxgate.harness.history.database import open_history as o; o({url!r}); "
        "sys.exit('alembic' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
