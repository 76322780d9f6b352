"""The trace of the request that made a job, for the worker that takes it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Jobs that are there have none."""
    op.add_column("jobs", sa.Column("traceparent", sa.String(55)))


def downgrade() -> None:
    """Forget them."""
    op.drop_column("jobs", "traceparent")
