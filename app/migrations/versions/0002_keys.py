"""API keys and sessions, models that are added while the service runs, and whose turn it is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, and the columns of the job table. Jobs that are there keep no submitter."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
    )
    op.create_table(
        "sessions",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("key_id", sa.String(16), sa.ForeignKey("api_keys.id"), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "models",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("entry", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(1000)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("added_by", sa.String(64)),
    )
    op.create_table(
        "choices",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(100), nullable=False),
    )
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("submitter", sa.String(64)))
        jobs.add_column(sa.Column("seconds_expected", sa.Float))
        jobs.add_column(sa.Column("request_key", sa.String(64)))
        jobs.add_column(sa.Column("request_sha256", sa.String(64)))
        jobs.create_index("ix_jobs_submitter_started_at", ["submitter", "started_at"])
        jobs.create_index("ix_jobs_request_key", ["request_key"], unique=True)


def downgrade() -> None:
    """Remove them."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index("ix_jobs_request_key")
        jobs.drop_index("ix_jobs_submitter_started_at")
        for column in ("request_sha256", "request_key", "seconds_expected", "submitter"):
            jobs.drop_column(column)
    for table in ("choices", "models", "sessions", "api_keys"):
        op.drop_table(table)
