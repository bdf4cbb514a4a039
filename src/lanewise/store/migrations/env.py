"""Alembic's entry: run the migrations on the connection that `upgrade` hands over. It opens none of its own."""

from alembic import context

from lanewise.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by rebuilding it
)
with context.begin_transaction():
    context.run_migrations()
