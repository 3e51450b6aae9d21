"""One diffusion picture over many workers that skip what has settled; importing it loads nothing heavy."""

import suffice.diffusion  # noqa: F401  (it keeps diffusers from telling stderr what nobody asked)
