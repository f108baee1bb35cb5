"""Where certificates meet the world: keys, disk, clock, database, and the one process that holds the CA keys.

* The home: ``home`` is the folder that holds everything; ``blueprint`` decides what a new one will
  be, ``creation`` makes it, ``founding`` fills it, once.
  ``policies`` finds the data files, ``clock`` gives the time, ``surroundings`` sees what the host says of a home,
  ``lock`` lets one process in, ``hardening`` takes from it what it does not need.
* Keys: ``keys`` is the ring of them; below it ``keyfiles`` (keys as encrypted files), ``hsm`` (keys in a hardware
  token), ``cryptoki`` (how one speaks with a token), ``token_errors`` (what it means by its refusals), ``passphrase``
  (what opens the files, and the PIN) and ``private_files`` (how both are written).
* The ledger: ``store migrations ledger/ commit`` are the ledger and its one writer; ``office/`` does what is asked and
  records it.
* Asking: ``calls`` is what may be asked, ``wire`` how it travels, ``service`` the process that answers, ``client`` how
  others ask it, ``asking`` how a command does, whether or not one runs.
* Copies: ``packing`` makes a backup, ``unpacking`` reads it and trusts nothing in it, ``restoring`` puts a home back;
  ``exporting`` writes the audit log for others, ``whole`` writes files whole or not at all.
* The offline root: ``ceremony`` is one at work, on a machine whose ``networks`` are none, ``result_folder`` what it
  leaves.
* Serving: ``vault`` keeps firmware images, ``http/`` serves them and takes requests; ``est_client`` asks an authority
  of others.
* ``crashpoints`` lets the tests end it where it hurts. ``codes`` explains what any of them says when it cannot.
"""
