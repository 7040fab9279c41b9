"""The HTTP door: collections served to programs and to the page, on this machine only unless a token guards them."""
