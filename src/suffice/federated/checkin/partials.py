"""What the nodes of the folding tree leave in the store for the node above."""

from __future__ import annotations

from suffice.federated.aggregate.partial import Partial
from suffice.federated.checkin.stores import Store
from suffice.federated.checkin.tree import Node
from suffice.federated.checkin.wire import partial_from_bytes, partial_to_bytes

_KIND = "partial"


def put_partial(store: Store, task: str, version: int, node: Node, partial: Partial) -> None:
    """Keep what `node` folded; the first to come stays, any other is equal."""
    store.put_note(task, version, _KIND, _name(node), partial_to_bytes(partial))


def get_partial(store: Store, task: str, version: int, node: Node) -> Partial | None:
    """What `node` folded; None when it has not."""
    data = store.note(task, version, _KIND, _name(node))
    return None if data is None else partial_from_bytes(data)


def folded(store: Store, task: str, version: int) -> set[Node]:
    """The nodes that are done."""
    return {Node(*map(int, name.split("-"))) for name in store.note_names(task, version, _KIND)}


def _name(node: Node) -> str:
    return f"{node.level}-{node.place}"
