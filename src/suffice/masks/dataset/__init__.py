"""Pictures to a training set: filtered, cut, bucketed, captioned, without near-duplicates, with a manifest."""
