"""A network namespace: its interfaces, its rules, and the processes in it.

What a killed run has left is removed by the next one.
"""

import asyncio
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from tests.server import ROOT

from .program import LIMIT, Program

NEEDED = ("ip", "nft")
PREFIX = "whipbird-test"

# What is used of nftables, to see whether it is there.
_NAT = """
table ip whipbird {
    set sources { type ipv4_addr . inet_service; flags dynamic; size 1024; }
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname outside masquerade random,fully-random
    }
}
"""


def run(*command: str, given: str = "") -> str:
    """The output of a command.

    Raises:
        RuntimeError: with what it has written, when it fails.
    """
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=LIMIT
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def namespaces() -> set[str]:
    """The names of this machine's network namespaces, but for those of other runs."""
    names = {line.split()[0] for line in run("ip", "netns", "list").splitlines()}
    return {n for n in names if not n.startswith(PREFIX) or _owner(n) == os.getpid()}


def _owner(name: str) -> int:
    """The process that has made a namespace of ours."""
    return int(name.removeprefix(PREFIX).split("-")[1])


@functools.cache
def why_impossible() -> str:
    """Why there can be no namespaces here; empty when there can."""
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    for program in NEEDED:
        if shutil.which(program) is None:
            return f"there is no {program} here"
    try:
        _remove_leftovers()
        with_nat = Namespace("probe")
        try:
            with_nat.ip("link add outside type veth peer name inside")
            with_nat.nft(_NAT)
        finally:
            with_nat.remove()
    except RuntimeError as error:
        return f"no network namespaces with NAT here: {error}"
    return ""


def _remove_leftovers() -> None:
    """Remove the namespaces of runs that were killed, and what still runs in them."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(PREFIX) and not os.path.exists(f"/proc/{_owner(name)}"):
            for pid in run("ip", "netns", "pids", name).split():
                os.kill(int(pid), signal.SIGKILL)
            run("ip", "netns", "del", name)


class Namespace:
    """A network namespace with a loopback interface."""

    def __init__(self, role: str) -> None:
        self.name = f"{PREFIX}-{os.getpid()}-{role}"
        self._programs: list[Program] = []
        run("ip", "netns", "add", self.name)
        try:
            self.ip("link set lo up")
        except BaseException:
            self.remove()
            raise

    def run(self, *command: str, given: str = "") -> str:
        """Run a command in it, as ``run`` does."""
        return run("ip", "netns", "exec", self.name, *command, given=given)

    def ip(self, *commands: str) -> None:
        """Run commands of ip(8) in it."""
        text = "".join(f"{command}\n" for command in commands)
        run("ip", "-n", self.name, "-batch", "-", given=text)

    def nft(self, rules: str) -> None:
        """Add rules of nft(8) to it."""
        self.run("nft", "-f", "-", given=rules)

    def forward(self) -> None:
        """Let it be a router."""
        for setting in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            self.run("sysctl", "-q", "-w", f"net.{setting}=1")

    def join(self, interface: str, other: "Namespace", its_interface: str) -> None:
        """Lay a cable to another namespace."""
        self.ip(
            f"link add {interface} type veth "
            f"peer name {its_interface} netns {other.name}"
        )

    def address(self, interface: str, address: str, gateway: str = "") -> None:
        """Give an interface an address and maybe the default route, and switch it on.

        Args:
            address: an IPv4 address of a network of 24 bits.
        """
        self.ip(f"addr add {address}/24 dev {interface}", f"link set {interface} up")
        if gateway:
            self.ip(f"route replace default via {gateway}")

    async def start(self, *command: str) -> Program:
        """Start a program in it."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("WHIPBIRD_")}
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", self.name, *command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Where there is no settings file.
            cwd=tempfile.gettempdir(),
            env=env | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": f"{ROOT}:{ROOT}/server"},
            limit=2**20,
        )
        program = Program(process)
        self._programs.append(program)
        return program

    async def python(self, *arguments: str) -> Program:
        """Start this Python in it."""
        return await self.start(sys.executable, *arguments)

    async def whipbird(self, *arguments: str) -> Program:
        """Start a command of ours in it."""
        return await self.python("-m", "whipbird", *arguments)

    async def end(self) -> None:
        """End its processes."""
        for program in self._programs:
            await program.kill()

    def remove(self) -> None:
        run("ip", "netns", "del", self.name)
