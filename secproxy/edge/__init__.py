"""Where the proxy touches the world: sockets, TLS, the event journal, and the processes that hold them.

A station's way: one of the ``doors``, a ``listener``, accepts it (``preamble`` hears who a load balancer speaks for),
``tls`` shakes hands on the terms of ``tls_context``, with the status from ``staples`` (``tls_failure`` names what went
wrong; ``clear`` stands in where there is no TLS), ``arrival`` takes it, in ``turns`` with others, through admission,
claim and CSMS (``passwords``, ``claim_line``, ``switchboard`` with ``csms_tls`` and ``upstream``), ``relay`` is its
live connection, each ``direction`` of which knows what needs no thought, at a ``pace`` that nobody sets alone;
``links`` ends it when the ledger says so, ``soon`` where it says so of many, ``recordings`` write down what is said on
it; ``waiting_room`` has who waits without a CSMS. What a worker knows of transactions goes to the next as its
``bequest``. ``worker`` puts these together, with ``surroundings`` that ask and tell for them what they do not
themselves, and is a process by ``worker_process``; ``authority_line`` and ``reading`` bring what the ledger knows,
``schema_files`` the official schemas.

Events: ``journal`` writes them in ``segments``, ``recorder`` moves them into the database, ``event_store`` reads both,
``export/`` sends them on. Processes: ``supervisor`` with ``births``, ``children``, ``lifeline``, ``descriptors``,
``races`` (what comes first), ``reloading``, ``effective`` (the settings in force) and ``policies`` (read and found),
``claim_desk`` (with ``reports``, ``errands`` and what it hands over, its ``claim_estate``) and the words of
``claim_wire`` that each ``line_end`` carries, the ``sockets`` that the ``crew`` of workers accepts from,
``lockout_file`` for whoever offered wrong passwords, ``upgrading`` and ``succession`` when other code takes over;
``web`` serves firmware and enrolment through ``web_door``, where ``doorkeeper`` counts who is refused, and the status
of certificates through ``status_listener``, all with ``patience`` for strangers; what the libraries below log of them
is a line of ``log_lines`` at most. ``fence`` has ``landlock`` keep a worker from all it does not need, ``memory`` sees
when it has too much. Figures: a worker's ``reporter`` tells the supervisor what was counted, and what ``tracing`` has
of those who came, ``overview`` asks for it, ``gathering`` brings together what everybody knows, ``exposition`` writes
it, ``metrics_listener`` serves it, with ``knocking`` at a CSMS. ``pulse`` shows that a process works, ``examination``
gathers what the doctor judges, with ``handshaking`` to see what our own listeners present.
"""
