"""The job table."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("file_bytes", sa.BigInteger, nullable=False),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("audio", sa.JSON),
        sa.Column("model_name", sa.String(100), nullable=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("stage", sa.String(32)),
        sa.Column("seconds_done", sa.Float, nullable=False),
        sa.Column("seconds_total", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_token", sa.String(32)),
        sa.Column("lease_holder", sa.String(255)),
        sa.Column("lease_expires_at", MOMENT),
        sa.Column("revision", sa.String(32)),
        sa.Column("files", sa.JSON),
        sa.Column("result", sa.JSON),
        sa.Column("error_code", sa.String(32)),
        sa.Column("error_message", sa.String(1000)),
        sa.Column("files_gone", sa.Boolean, nullable=False),
    )
    op.create_index("ix_jobs_status_queued_at", "jobs", ["status", "queued_at"])
    op.create_index("ix_jobs_owner_created_at", "jobs", ["owner", "created_at", "id"])
    op.create_index("ix_jobs_expires_at", "jobs", ["expires_at"])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("jobs")
