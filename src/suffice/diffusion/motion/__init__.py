"""Motion modules: what kind a file holds, put into a UNet and taken out again."""
