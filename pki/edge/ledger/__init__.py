"""The ledger's sentences: one file per noun, each a handful of typed questions and changes in SQL.

``stations`` who may connect, ``certificates`` what was signed and what still holds, ``anchors`` whom else we trust,
``crls`` lists of the revoked, ``answers`` those of OCSP, ``firmware`` images and downloads, ``ceremonies`` what an
offline root sent, ``tokens`` and ``waiting`` who may enrol and what waits, ``external`` what others issued for us,
``successions`` who trusts or uses the newer of two, ``settings`` what certificates are made by, ``audit`` the log of
every act, ``replay`` the proof that the rows follow from it, ``listed`` the proof that lists and answers follow from
the rows, ``restores`` when it came back from a backup. Each function takes the open database; none begins or ends a
transaction: that is the committer's.
"""
