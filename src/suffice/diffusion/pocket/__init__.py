"""Pocket: a whole text-to-picture-and-clip model family, small enough to ship, trained on pictures we draw ourselves."""
