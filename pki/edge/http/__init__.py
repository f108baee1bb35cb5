"""What the authority's room says over HTTP: firmware downloads."""
