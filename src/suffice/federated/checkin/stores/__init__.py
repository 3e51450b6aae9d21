"""What a deployment remembers: one small protocol over SQLite, PostgreSQL, or a folder of any object store."""

from suffice.federated.checkin.stores.open_store import open_store
from suffice.federated.checkin.stores.protocol import RoundStatus, Store, StoredUpdate, TaskSettings

__all__ = ["RoundStatus", "Store", "StoredUpdate", "TaskSettings", "open_store"]
