"""One file a part of the API; each has a `router`."""

from suffice.serve.routes import health, jobs, made, making, masks, media, sql, store

ROUTERS = (
    health.router,
    sql.router,
    jobs.router,
    media.router,
    store.router,
    masks.router,
    making.router,
    made.router,
)
