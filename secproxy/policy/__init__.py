"""What the two sides may say to each other, as an operator writes it down: rules as data, read, and judged by.

From the bottom: ``actions`` is what OCPP has, ``carried`` finds what of it a DataTransfer carries; ``urls keys contents
certificates`` each judge one thing about a message; ``rules`` is what a policy is made of, ``gauges`` count what its
rates allow; ``as_read`` is how people write it, ``fields`` finds what they wrote about and is not there, and ``checks
making reading`` are the one way from that to rules; ``rulebook`` is a policy as one session is under it,
``explanation`` tells a person what it would do, ``withheld`` what it can say of what was redacted. Which station is
under which is in ``secproxy.policy_settings``; the files are read by ``secproxy.edge.policies``.
"""
