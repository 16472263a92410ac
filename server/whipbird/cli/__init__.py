"""The command line: one module per command, which is loaded when it is used."""

from difflib import get_close_matches
from importlib import import_module

import click

from .. import __version__

# In the order of the help.
_COMMANDS = (
    *("serve", "ping", "publish", "watch", "bench", "check", "doctor"),
    "chat-proxy",
)


class _Commands(click.Group):
    """Loads the command that is called, and no other."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f".{name}", __name__)
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            alike = get_close_matches(args[0], _COMMANDS)
            if not alike:
                raise
            question = f"Did you mean {' or '.join(alike)}?"
            raise click.UsageError(f"{error.message} {question}", ctx) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="whipbird")
def main() -> None:
    """A WebRTC media server that speaks WHIP and echoes every message."""
