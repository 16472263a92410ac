"""The command line: one module per command."""

import click

from .. import __version__
from .bench import bench_command
from .check import check_command
from .doctor import doctor_command
from .ping import ping_command
from .publish import publish_command
from .serve import serve_command
from .watch import watch_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="whipbird")
def main() -> None:
    """A WebRTC media server that speaks WHIP and echoes every message."""


main.add_command(serve_command)
main.add_command(ping_command)
main.add_command(publish_command)
main.add_command(watch_command)
main.add_command(bench_command)
main.add_command(check_command)
main.add_command(doctor_command)
