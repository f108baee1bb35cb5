"""The authority's desk: everything that may be asked of it, and how each act is done and recorded.

* The way in: ``front``: ``Office.open``, ``handle``, ``watch``, ``close``. ``desk`` is what every act works with.
* One file per noun: ``stations``, ``certificates``, ``leaves`` (other certificates for a request than stations' own),
  ``anchors``, ``firmware``, ``credentials``, ``records`` (the audit log), ``evidence`` (proofs and exports of it),
  ``backups``, ``health`` (what ends, and whether all is sound).
* ``changes`` makes a registered station another one, pins it, lets it go.
* ``issuing`` is the one way a certificate comes to be, ``authorities`` how our own do, ``hierarchies`` makes new ones,
  ``imports`` takes in those of others; ``reissue`` replaces a station's.
* ``revoking`` ends a certificate or holds it; ``services`` says who answers for it where, ``crls`` signs lists of the
  revoked, ``answers`` those of OCSP, ``signers`` renews who signs them.
* ``assertion_keys`` makes and drops the keys that the proxy tells a CSMS with who a station is.
* ``enrolment`` answers stations that ask over EST, ``tokens`` and ``approvals`` say who may, ``external`` asks an
  authority of others.
* ``root_requests`` asks an offline root for certificates, ``ceremonies`` takes over what it signed.
* ``rehearsal`` judges an act without doing it.
* ``settings`` records which of those changed that certificates are made by.
* ``settling`` gives up what was intended and came to nothing, ``duties`` is what is done unasked, ``troubles`` what
  parts of it fail with; ``news`` tells watchers what changed, ``memory`` is what may be forgotten.

``inventory`` gathers what ends, ``rotation`` says what is due and has it renewed, ``renewal`` replaces our own leaf
keys, ``succession`` lets go of stations' former certificates; ``rollover`` leads from an authority to the next, with
``confirmations`` of who trusts it.

Every act that changes something writes one audit entry in its own transaction: no entry, no act.
"""
