"""The offline root: one reviewed file says what is signed, a transcript proves that this and nothing else was.

``terms`` are what is agreed on; ``lines reader`` and ``file`` read the file into them, or name all that is wrong with
it, each with its line; ``template`` writes one to begin with. ``requests`` judges what the online home asks for,
``pieces`` are what is signed, in order, and ``crl`` one of them. ``signing`` makes a key sign the same bytes alike
every time, ``history`` holds a ceremony to those before it, ``witnesses`` everybody to the file. ``transcript`` is the
log that is written before and after each signature, ``result`` what lies in the folder afterwards, and ``replay`` makes
every byte of it again from the file, the requests and the public keys.
"""
