"""Models of the Hugging Face hub and of local folders in its layout: one file a task."""
