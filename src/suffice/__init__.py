"""Just enough compute for the answer you asked for: SQL over video, pictures, documents and tables with models.

>>> import suffice
>>> con = suffice.connect()
>>> con.sql("SELECT 6 * 7 AS answer").fetchall()
[(42,)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suffice.errors import MediaError, ModelError, SufficeError, SufficeWarning, UsageError

if TYPE_CHECKING:
    from suffice.answer.guarantee import Guarantee
    from suffice.answer.result import Result
    from suffice.connection import Connection, connect
    from suffice.models.protocol import Image
    from suffice.models.python import model

__version__ = "0.1.0"
__all__ = [
    "Connection",
    "Guarantee",
    "Image",
    "MediaError",
    "ModelError",
    "Result",
    "SufficeError",
    "SufficeWarning",
    "UsageError",
    "connect",
    "model",
]

# Imported when first asked for, so that `import suffice` and `suffice --help` load nothing heavy.
_LAZY = {
    "Connection": "suffice.connection",
    "Guarantee": "suffice.answer.guarantee",
    "Image": "suffice.models.protocol",
    "Result": "suffice.answer.result",
    "connect": "suffice.connection",
    "load_ipython_extension": "suffice.notebook",
    "model": "suffice.models.python",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'suffice' has no attribute {name!r}")
