"""``local``, ``ray`` or ``ray://HOST:PORT`` to an engine."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from suffice.errors import UsageError, nearest
from suffice.models.engines.engine import InferenceEngine

OPTIONS = ("workers",)


def open_engine(text: str) -> InferenceEngine:
    """The engine that `text` names; nothing is started before a model has to run.

    Args:
        text: ``local``; ``ray`` (this machine, or the cluster in ``RAY_ADDRESS``); ``ray://HOST:PORT`` (a cluster's
            client port). ``?workers=N`` sets how many, by default one a core.

    Raises:
        UsageError: no engine of that name, or a number of workers that is none.
    """
    address, _, query = text.partition("?")
    kind = address.partition(":")[0]
    if kind not in ("local", "ray") or (kind == "local" and text != "local"):
        raise UsageError(f"there is no engine {text!r}{nearest(kind, ('local', 'ray'))}: local, ray or ray://HOST:PORT")
    if kind == "local":
        from suffice.models.engines.local import LocalEngine

        return LocalEngine()
    if address != "ray" and not urlsplit(address).hostname:
        raise UsageError(f"{text!r} names no host: ray://HOST:10001")
    from suffice.models.engines.ray_engine import RayEngine
    from suffice.models.engines.ray_pool import RayPool

    return RayEngine(RayPool(None if address == "ray" else address, _workers(text, query)))


def _workers(text: str, query: str) -> int | None:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in OPTIONS:
            raise UsageError(f"{text!r}: there is no option {name!r}{nearest(name, OPTIONS)}")
    if "workers" not in options:
        return None
    if not options["workers"].isdigit() or not 0 < int(options["workers"]) <= 10_000:
        raise UsageError(f"{text!r}: workers is a number from 1, not {options['workers']!r}")
    return int(options["workers"])
