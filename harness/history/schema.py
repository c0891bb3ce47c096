"""
Brings a database to the schema of this voxgate: makes the tables, or takes the steps of `migrations/` from where it stands.

All steps in one transaction: a crash leaves the schema, and what is stored, as they were. A database that a newer voxgate
made is refused.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from harness.errors import HarnessError
from harness.history.connection import writing
from harness.history.tables import REVISION

STEPS = Path(__file__).parent / "migrations"


def migrate(engine: Engine, revision: str = REVISION) -> None:
    """Bring the database to `revision`; nothing where it stands there. Raises HarnessError for a newer schema."""
    with engine.connect() as connection:
        if current(connection) == revision:
            return
    with writing(engine) as connection:
        upgrade(connection, revision)


def upgrade(connection: Connection, revision: str) -> None:
    """Take the steps that are left, another process may just have taken them. Raises HarnessError for a newer schema."""
    from alembic import command  # takes longer to import than all that a migrated database needs
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(STEPS).replace("%", "%%"))
    stands = current(connection)
    if stands is not None and stands not in {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}:
        raise HarnessError(f"this history has schema {stands}, which this voxgate ({REVISION}) does not know; upgrade voxgate")
    command.upgrade(config, revision)


def current(connection: Connection) -> str | None:
    """Say which revision the database stands at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)
