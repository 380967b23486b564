"""Alembic's entry: migrate.py hands it a connection that holds the lock. All migrations together, or none."""

from alembic import context

from tailrace.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
if connection.dialect.name == "sqlite":
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # its engine leaves every BEGIN to us
with context.begin_transaction():
    context.run_migrations()
connection.commit()
