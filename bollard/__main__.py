"""Lets ``python -m bollard`` do what ``bollard`` does; processes of ours start one another this way."""

from bollard import main

main()
