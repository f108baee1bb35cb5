"""Decides about connections and messages; knows nothing of sockets, files or the time of day.

From the bottom: ``kinds standard_events causes firmware_causes events`` are what is written down and why; ``export/``
writes it as others read it, ``alerts`` counts it. ``errors codes`` are how this room says no, and what it means by it;
``frames`` (compressed ones with ``deflate``) ``head target boot binding proxy_protocol agreed`` read one thing each,
``reader`` any JSON, ``jws`` what is signed, ``buckets calls`` count; ``schemas`` hold payloads against the standard's;
``event_settings message_settings upstreams policy_settings trace_settings config reload`` and ``station_view``
are what is known, ``weakening`` what of it weakens security; ``admission`` judges who may connect, ``strangers`` what
becomes of those nobody registered, ``lockout`` how often one may guess, ``claims`` who holds a station's one
connection, ``transactions`` whose transaction is whose, ``write_only`` what no station may tell; ``routing`` and
``reachability`` say which CSMS it goes to and by which URL, ``handover`` and ``assertion`` what that one is told of it;
``envelope`` reads messages, ``sealed`` signed ones, ``plan`` names those that must be thought about, ``policy/`` says
what the operator lets pass, ``gates/`` judge what is let, ``answers`` is what a caller hears of a no, ``inspection``
has what a session holds against the schemas, ``notebook`` what it has told and counted, ``orders`` are the words it
hears and answers with, ``session`` is the conversation that ties them together, ``quarantine`` and ``renewal`` are
those without a CSMS; ``recording`` is what is written down of it when that is asked for, ``redaction`` takes the
secrets out, ``replay`` holds it against another policy. ``metrics`` names what is counted, ``tally`` adds it up,
``spans`` tell how long an arrival took and at what, ``readiness`` judges whether stations can be served, ``lines``
explains what processes say. ``edge/`` is the only place that touches the world.
"""
