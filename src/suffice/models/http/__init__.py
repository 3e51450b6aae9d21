"""Models behind HTTP: one file a provider, each with a `runner`, and the parts they share.

A runner hands three things to :func:`suffice.models.http.assemble.assemble`: where to send, what columns go in
and out, and an :class:`~suffice.models.http.http_model.Exchange` that knows the provider's JSON. Everything
else (retries, pace, spending, splitting of batches, errors by row) is the same for all.

**Concurrency lives in one place: the engine's threads.** :meth:`HttpModel.predict` sends one request after the
other; ``signature.batch_size`` is how many inputs one request carries and ``signature.concurrency`` how many
threads may be in :meth:`predict` at once, so it is also how many requests are under way.
"""
