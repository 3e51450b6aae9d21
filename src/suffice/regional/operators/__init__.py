"""What a UNet's layers do when only some tiles run: one file an operator."""
