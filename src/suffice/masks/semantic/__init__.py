"""Every pixel's class: maps, their names and colours, and maps made sharper by masks."""
