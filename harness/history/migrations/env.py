"""
The script that alembic runs to migrate: all steps, on the connection that `database.py` opened,
inside its transaction.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
