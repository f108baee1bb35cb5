"""Writes stored security events as others read them: an event in, bytes out; nothing is sent here.

``event`` is what every format takes, and the one place where text becomes harmless. ``jsonl rfc5424 cef ecs otlp`` are
a format each, ``webhook`` is what goes to a URL, with its signature; ``formats`` names them. ``otlp_traces`` writes
spans, which are no events.
"""
