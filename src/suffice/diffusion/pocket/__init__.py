"""Pocket: a whole text-to-picture-and-clip model family, small enough to ship, taught on pictures we draw ourselves."""
