"""Edited versions of a job's notes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Jobs that are there have none."""
    op.add_column("jobs", sa.Column("versions", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("jobs", sa.Column("n_versions", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    """Forget the versions; their files go with the jobs."""
    op.drop_column("jobs", "n_versions")
    op.drop_column("jobs", "versions")
