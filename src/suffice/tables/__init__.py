"""Where rows live, and how blocks of them are sampled."""
