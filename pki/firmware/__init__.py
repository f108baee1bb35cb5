"""Decides which firmware images may reach which stations; imports no I/O."""
