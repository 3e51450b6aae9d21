"""The noise that clips start from."""
