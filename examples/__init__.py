"""Small programs to try Bollard with: a CSMS and a charging station, each one process and one file.

They use the ``ocpp`` and ``websockets`` packages and nothing of Bollard's, as any CSMS or station would. ``csms.py`` is
the CSMS that stands behind the proxy, ``station.py`` a station in front of it.
"""
