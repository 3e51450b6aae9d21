"""Real devices: they check in at any replica, fetch a model, send an update; short-lived processes fold the updates.

Nothing a replica needs to know between two calls lives in the replica: what the device holds is in a signed token, the
rest is in the store. Any process may be killed at any time and started again.
"""
