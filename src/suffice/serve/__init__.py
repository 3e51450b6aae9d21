"""Doors over HTTP: the studio (a web page), the API behind it, and the model service."""
