"""What the authority's room says over HTTP: firmware downloads, enrolment, and the status of certificates.

``status`` is the application for lists of the revoked and OCSP, ``keeping`` what it has in memory.

``downloads`` is the application for firmware; ``ranges`` reads what part is wanted, ``transfer`` follows one download
to its end, ``budget`` bounds what one link may cost. ``est`` lets stations ask for certificates.
"""
