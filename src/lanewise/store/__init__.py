"""The database under the ledger: engine, schema, migrations. It never sees a request and imports no policy."""

from lanewise.store.database import Database, open_database

__all__ = ["Database", "open_database"]
