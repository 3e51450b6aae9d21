"""Making as functions of SQL."""
