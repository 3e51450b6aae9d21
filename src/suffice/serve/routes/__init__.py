"""One file a part of the API; each has a `router`."""

from suffice.serve.routes import health, jobs, made, making, mask_sets, masks, media, semantic, sql, store

ROUTERS = (
    health.router,
    sql.router,
    jobs.router,
    media.router,
    store.router,
    masks.router,
    mask_sets.router,
    semantic.router,
    making.router,
    made.router,
)
