"""Files to frames, pictures, pages and texts: content hashes, decoding, references."""
