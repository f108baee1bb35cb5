"""The command line: how a person tells Bollard what to do, and how Bollard answers.

``main`` is the tree of commands and the one table from error class to exit code; ``asked`` is what stands before the
noun (``--home``, ``--output``, ``--yes``, ``--dry-run``) and carries a question to the authority; ``render`` prints
rows and records; ``progress`` shows how far a long act is; ``files``, ``seeds``, ``words`` and ``evidence`` read what
people hand over; ``codes`` says what this room's errors mean, ``house`` how what is up stands. ``enrolment`` hangs its
commands into two nouns. Beside them one file per noun: ``setup processes status rotate explain ca ceremony cert crl
ocsp station policy event firmware audit backup doctor``, ``reissue`` for the certificates of a whole fleet, ``replay``
for a recording, ``verify`` and ``lint`` for anybody's certificate, and ``demo``, the whole story in one command.

Commands hold no decisions: they read, ask, and print. Data goes to stdout, talk to stderr.
"""
