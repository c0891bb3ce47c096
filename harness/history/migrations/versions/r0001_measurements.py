"""The first schema: runs, their cells, the series and their points."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision: str | None = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the four tables."""
    _run()
    _cell()
    _series()
    _point()


def _run() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("source", "suite", "profile", "machine", "head")
        ),
        sa.Column("created", sa.String(25), nullable=False),
        sa.Column("verdict", sa.Text),
        sa.Column("exit_code", sa.Integer),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("line", "baseline", "folder", "question")
        ),
        sa.Column("environment", sa.JSON, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.UniqueConstraint("digest", name="run_digest"),
    )
    op.create_index("run_created", "run", ["suite", "created"])


def _cell() -> None:
    op.create_table(
        "cell",
        sa.Column(
            "run_id", sa.Integer, sa.ForeignKey("run.id", name="cell_of_run"), primary_key=True
        ),
        sa.Column("cell", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        *(sa.Column(name, sa.JSON, nullable=False) for name in ("config", "effective", "effects")),
        sa.Column("verdict", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("notes", sa.Text, nullable=False),
    )


def _series() -> None:
    key = ("suite", "profile", "machine", "cell", "metric", "unit")
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in (*key, "label", "better", "version")
        ),
        sa.UniqueConstraint(*key, name="series_key"),
    )


def _point() -> None:
    op.create_table(
        "point",
        sa.Column(
            "run_id", sa.Integer, sa.ForeignKey("run.id", name="point_of_run"), primary_key=True
        ),
        sa.Column(
            "series_id",
            sa.Integer,
            sa.ForeignKey("series.id", name="point_of_series"),
            primary_key=True,
        ),
        sa.Column("value", sa.Float(53)),
        sa.Column("missing", sa.Text),
        sa.Column("low", sa.Float(53)),
        sa.Column("high", sa.Float(53)),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("verdict", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("shift", sa.Float(53)),
        sa.Column("version", sa.Text, nullable=False),
        sa.CheckConstraint(
            "(value IS NULL AND missing IS NOT NULL) OR "
            "(missing IS NULL AND value IS NOT NULL AND value BETWEEN -1.7976931348623157e308 AND "
            "1.7976931348623157e308)",
            name="point_number_or_reason",
        ),
    )
    op.create_index("point_of_one_series", "point", ["series_id"])
