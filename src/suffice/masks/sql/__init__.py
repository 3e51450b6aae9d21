"""What this room offers to SQL."""
