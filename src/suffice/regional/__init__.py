"""One diffusion picture over many workers that skip what has settled; importing it loads nothing heavy."""
