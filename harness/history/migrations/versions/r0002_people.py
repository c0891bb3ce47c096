"""The tables of people's input: acknowledgements of changes, and votes of listeners."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision: str | None = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables."""
    pattern = ("suite", "cell", "metric", "machine")
    op.create_table(
        "acknowledgement",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in pattern),
        sa.Column("since", sa.String(25), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("created", sa.String(25), nullable=False),
        sa.UniqueConstraint(*pattern, "since", name="acknowledgement_key"),
    )
    texts = ("suite", "cell", "mode", "a", "b", "request", "x", "answer")
    op.create_table(
        "vote",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        sa.Column("correct", sa.Boolean),
        sa.Column("listener", sa.Text, nullable=False),
        sa.Column("created", sa.String(25), nullable=False),
        sa.UniqueConstraint("digest", name="vote_digest"),
    )
