"""Decides about certificates, stations and firmware; knows nothing of sockets, disks or the time of day.

From the bottom: ``errors findings`` are how anything here says no, ``codes clause_texts`` what is meant by it;
``names station holding`` are what it talks about; ``clauses profile_keys profile_rules toml_text toml_lines tables v2g
pem strength revocation services checkpoint token waiting external`` are single rules, ``profile`` what a kind of
certificate looks like, as data; ``certificate raw_form recall password settings audit`` read and prove; ``encode``
and ``signature`` write and sign the bytes of certificates (``body``), ``listing`` (lists of the revoked) and ``ocsp``
(answers about one certificate); ``witness proof export`` carry the log's proof to others, ``replay`` tells what the
log makes of the ledger's rows, ``manifest`` what a backup may hold, ``health`` what will stop working; ``request``
(what a station asks for), ``plan`` (the exact certificate intended) and the rules of ``lint_rules lint_names
lint_form lint_v2g lint_below`` and ``chain_rules`` feed ``lint`` (which alone approves; ``frame`` tells it what it
has seen before), ``issue`` (which signs only what was approved) and ``chain`` (which judges the certificates of
others). ``enrolment`` judges who may ask by showing a certificate, ``est`` puts in order what travels. ``lint_request
likely_purpose lint_file`` hold the papers of anybody against the same rules; ``ratchet`` which way a security profile
may go; ``hierarchy`` says which authorities there can be; ``rotation`` what is due for renewal, ``rollover`` how one
authority follows another, ``assertion_keys`` when the proxy's keys change. ``firmware/`` is the pipeline's judgement,
``ceremony/`` that of an offline root.

A chain is judged thus: ``der fields dn`` read the bytes, ``unreadable`` says what cannot be, ``paper`` reads a
certificate whole, ``signed`` its signature; ``question`` is what is asked of it, ``server_name`` whom it is for.
``path_search`` finds paths; ``form_rules name_constraints path_policies`` hold them against RFC 5280, ``crl`` and
``crl_scope`` against revocation lists, and ``second_opinion`` asks another judge. ``bundle`` and ``verification`` do
all that for files as people hand them over, ``served`` for what a listener of ours presents.

``edge/`` is the only place that touches the world.
"""
