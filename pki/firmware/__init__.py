"""Decides which firmware images may reach which stations; imports no I/O.

``policy`` is what an operator accepts, as data; ``signature`` judges the image's bytes, ``signer`` the certificate
they were signed with; ``release`` is an image that both have passed; ``gate`` holds a CSMS's request against releases
and station. ``codes`` says in plain words what each refusal means.
"""
