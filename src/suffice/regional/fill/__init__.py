"""What stands for the noise of a region that did not run: one file a guess."""
