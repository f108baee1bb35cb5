"""Decides about certificates, stations and firmware; knows nothing of sockets, disks or the time of day.

From the bottom: ``errors findings`` are how anything here says no, ``codes clause_texts`` what is meant by it; ``names
station holding`` are what it talks about; ``clauses profile pem strength revocation checkpoint`` are single rules;
``certificate password settings audit`` read and prove; ``request`` (what a station asks for), ``plan`` (the exact
certificate intended) and the rules of ``lint_rules`` and ``chain_rules`` feed ``lint`` (which alone approves),
``issue`` (which signs only what was approved) and ``chain`` (which judges the certificates of others). ``firmware/``
is the pipeline's judgement. ``edge/`` is the only place that touches the world.
"""
