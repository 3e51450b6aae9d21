"""Pictures that a clip has to follow, and how they are made from others."""
