"""A server that learns the sum of the updates, and no update.

Bonawitz et al., *Practical Secure Aggregation for Privacy-Preserving Machine Learning*, CCS 2017, against a server that
keeps to the protocol but looks at everything (no signatures: one that lies about who is there is not caught).
"""

from suffice.federated.aggregate.secure.fixed_point import from_fixed, to_fixed
from suffice.federated.aggregate.secure.member import Member, PublicKeys, Reveal
from suffice.federated.aggregate.secure.unmask import unmask

__all__ = ["Member", "PublicKeys", "Reveal", "from_fixed", "to_fixed", "unmask"]
