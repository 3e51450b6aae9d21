"""Models behind HTTP for other machines and other programs; ``CREATE MODEL … USING 'http:…'`` speaks to it."""
