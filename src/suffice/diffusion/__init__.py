"""Diffusion: pictures and clips from text, and the small trained family that ships."""
