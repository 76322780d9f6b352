"""Run by Alembic with the connection that `app.database.migrate` opened."""

from alembic import context

from app.jobs import webhook_tables  # noqa: F401  its tables belong to Base
from app.jobs.table import Base
from app.keys import table as _keys  # noqa: F401  their tables belong to Base, too
from app.served import table as _served  # noqa: F401

connection = context.config.attributes["connection"]
# SQLite cannot alter a column in place; batch mode copies the table.
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
