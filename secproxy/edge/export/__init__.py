"""Sends recorded events on: each sink has a mark of its own in ``events.db``, and is sent what was recorded after it.

``outbox`` reads behind the mark and moves it; ``files``, ``syslog`` and ``deliveries`` are the ways out, over ``lines``
(whom a connection trusts, and the secrets it needs); ``alert_desk`` hears the same events for the alert rules.
``exporter`` is the loop that takes a batch, sends it and moves the mark, or waits and tries again; ``exporters`` runs
one for each sink. ``traces`` takes spans from the supervisor, which has them of the workers, and sends them likewise;
``standing`` is where it keeps how their collector is doing.
"""
