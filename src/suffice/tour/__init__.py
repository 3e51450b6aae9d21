"""The whole loop on shipped data, one chapter a file, and the one page it leaves."""
