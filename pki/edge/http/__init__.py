"""What the authority's room says over HTTP: firmware downloads.

``downloads`` is the application; ``ranges`` reads what part is wanted, ``transfer`` follows one download to its end,
``budget`` bounds what one link may cost.
"""
