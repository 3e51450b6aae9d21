"""One file a part of the API; each has a `router`."""

from suffice.serve.routes import health, jobs, media, sql, store

ROUTERS = (health.router, sql.router, jobs.router, media.router, store.router)
