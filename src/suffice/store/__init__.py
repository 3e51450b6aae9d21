"""The catalogue of media and every result ever paid for: content-addressed, transactional, resumable."""
