"""
The tables of the history after the last migration. `migrations/` brings an older database here;
`writing.py` and `queries.py` write and read the rows.

A point is one metric of one cell of one run: a finite number, or the reason why there is none,
never both and never neither. The database itself checks that (`CHECK`), so that no writer can store
NaN (which SQLite would read as NULL).
"""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

REVISION = "r0002"
"""The last migration, which a database must have to be used."""
KEY = ("suite", "profile", "machine", "cell", "metric", "unit")
"""The columns that identify a series."""

NUMBER_OR_REASON = (
    "(value IS NULL AND missing IS NOT NULL) OR "
    "(missing IS NULL AND value IS NOT NULL AND value BETWEEN -1.7976931348623157e308 AND "
    "1.7976931348623157e308)"
)

METADATA = MetaData()

RUN = Table(
    "run",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("suite", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("head", Text, nullable=False),
    Column("created", String(25), nullable=False),
    Column("verdict", Text),
    Column("exit_code", Integer),
    Column("line", Text, nullable=False),
    Column("baseline", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("environment", JSON, nullable=False),
    Column("complete", Boolean, nullable=False),
    UniqueConstraint("digest", name="run_digest"),
    Index("run_created", "suite", "created"),
)

CELL = Table(
    "cell",
    METADATA,
    Column("run_id", ForeignKey("run.id", name="cell_of_run"), primary_key=True),
    Column("cell", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("config", JSON, nullable=False),
    Column("effective", JSON, nullable=False),
    Column("effects", JSON, nullable=False),
    Column("verdict", Text),
    Column("reason", Text, nullable=False),
    Column("notes", Text, nullable=False),
)

SERIES = Table(
    "series",
    METADATA,
    Column("id", Integer, primary_key=True),
    *(Column(name, Text, nullable=False) for name in KEY),
    Column("label", Text, nullable=False),
    Column("better", Text, nullable=False),
    Column("version", Text, nullable=False),
    UniqueConstraint(*KEY, name="series_key"),
)

POINT = Table(
    "point",
    METADATA,
    Column("run_id", ForeignKey("run.id", name="point_of_run"), primary_key=True),
    Column("series_id", ForeignKey("series.id", name="point_of_series"), primary_key=True),
    Column("value", Float(53)),
    Column("missing", Text),
    Column("low", Float(53)),
    Column("high", Float(53)),
    Column("n", Integer, nullable=False),
    Column("verdict", Text),
    Column("reason", Text, nullable=False),
    Column("shift", Float(53)),
    Column("version", Text, nullable=False),
    CheckConstraint(NUMBER_OR_REASON, name="point_number_or_reason"),
    Index("point_of_one_series", "series_id"),
)

ACKNOWLEDGEMENT = Table(
    "acknowledgement",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("suite", Text, nullable=False),
    Column("cell", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("since", String(25), nullable=False),
    Column("why", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("created", String(25), nullable=False),
    UniqueConstraint("suite", "cell", "metric", "machine", "since", name="acknowledgement_key"),
)

VOTE = Table(
    "vote",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("suite", Text, nullable=False),
    Column("cell", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("a", Text, nullable=False),
    Column("b", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("x", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("correct", Boolean),
    Column("listener", Text, nullable=False),
    Column("created", String(25), nullable=False),
    UniqueConstraint("digest", name="vote_digest"),
)
