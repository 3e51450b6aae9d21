"""What changes from frame to frame, in one text."""
