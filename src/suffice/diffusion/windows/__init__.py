"""Which frames a UNet sees together, and how what it said about them is put together."""
