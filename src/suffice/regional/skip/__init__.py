"""Which regions run in a step: one file a rule."""
