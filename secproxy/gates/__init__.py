"""Judges the few messages that must not pass unseen; a gate answers for what it does not let through.

``firmware`` reads the update commands of every version, asks ``pki.firmware.gate``, and writes answer or cleared call.
"""
