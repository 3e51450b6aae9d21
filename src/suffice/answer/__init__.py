"""From plans to results: one file a kind of answer."""
