"""Low-rank matrices from some of their entries, or from linear measurements of them."""
