"""How much memory a clip takes: estimated before, measured after, and made less."""
