"""Which worker does what next: one policy for the real workers and for a simulated cluster."""
