"""Judges the few messages that must not pass unseen; a gate answers for what it does not let through."""
