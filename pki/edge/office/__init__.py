"""The authority's desk: everything that may be asked of it, and how each act is done and recorded.

``front`` is the way in: ``Office.open``, ``handle``, ``watch``, ``close``. ``desk`` is what every act works with. Then
one file per noun: ``stations``, ``certificates``, ``leaves`` (other certificates for a request than stations' own),
``anchors``, ``firmware``, ``credentials``, ``records`` (the audit log), ``evidence`` (proofs and exports of it),
``backups``, ``health`` (what ends, and whether all is sound); ``issuing`` is the one way a certificate comes to be,
``authorities`` how our own do, ``hierarchies`` makes new ones and ``imports`` takes in those of others; ``reissue``
replaces a station's; ``root_requests`` asks an offline root for certificates, ``ceremonies`` takes over what it signed;
``duties`` is what is done unasked; ``news`` tells watchers what changed.

Every act that changes something writes one audit entry in its own transaction: no entry, no act.
"""
