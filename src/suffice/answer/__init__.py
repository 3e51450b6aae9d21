"""Plan to result: one file a kind of answer."""
