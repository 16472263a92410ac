"""``python -m whipbird`` is the ``whipbird`` command."""

from .cli import main

main(prog_name="whipbird")
