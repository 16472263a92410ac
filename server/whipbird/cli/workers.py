"""``whipbird serve`` with several workers: the supervisor, and what each does more."""

import asyncio
import signal
import sys
from collections.abc import Callable

from aiohttp import web

from ..app import GROUP, LISTENERS, UDP_PORT
from ..config import ConfigError, Settings, split_listen
from ..workers import Ports, Worker, WorkerState
from .logs import log_as_worker, set_up_logging
from .reloading import Reloading
from .service import notify_ready, notify_reloading, notify_stopping


def supervise(reloading: Reloading, work: Callable[[Worker], int]) -> int:
    """Run the workers of a server.

    Args:
        reloading: the settings.
        work: runs one of them in its own process.

    Returns:
        The exit code.
    """

    # It is for systems that have fork(2) and SIGCHLD.
    from ..workers.supervisor import Supervisor

    def work_and_log(worker: Worker) -> int:
        settings = reloading.settings
        number = worker.shard.number
        log_as_worker(number, settings.log_level, settings.log_format, sys.stderr)
        return work(worker)

    def reload() -> None:
        notify_reloading()
        try:
            reloading.read_again()
        except ConfigError:
            return  # The workers say what is wrong.
        finally:
            notify_ready()
        settings = reloading.settings
        set_up_logging(settings.log_level, settings.log_format, sys.stderr)

    supervisor = Supervisor(
        reloading.settings.workers,
        work_and_log,
        started=notify_ready,
        stopping=lambda: notify_stopping(reloading.settings.drain),
        reloading=reload,
    )
    return supervisor.run()


def join(
    worker: Worker,
    app: web.Application,
    greet: Callable[[], None],
    stop: Callable[[], None],
) -> None:
    """Take part as a worker, once its ports are open.

    Args:
        greet: says where the server is; the first worker does when all have started.
        stop: called at SIGTERM, however often it comes, and when the supervisor has
            ended.
    """
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    group = app[GROUP]
    is_to_greet = worker.ports is None

    def told(states: list[WorkerState]) -> None:
        nonlocal is_to_greet
        group.follow(states)
        if is_to_greet and all(state.state == "running" for state in states):
            is_to_greet = False
            greet()

    worker.listen(told, stop)
    listeners, media = app[LISTENERS], app[UDP_PORT]
    http = listeners["public"].port
    ice_tcp = media.tcp.stats.port
    admin = listeners.get("admin")
    worker.tell_ready(
        Ports(
            http=http,
            udp=media.number,
            ice_tcp=0 if ice_tcp == http else ice_tcp,
            admin=0 if admin is None else admin.port,
        )
    )


def with_ports(settings: Settings, ports: Ports) -> Settings:
    """The settings with the ports that the first worker has got."""
    update: dict[str, object] = {"port": ports.http, "udp_port": ports.udp}
    if ports.ice_tcp:
        update["ice_tcp_port"] = ports.ice_tcp
    if settings.admin_listen is not None:
        host, _ = split_listen(settings.admin_listen)
        shown = f"[{host}]" if ":" in host else host
        update["admin_listen"] = f"{shown}:{ports.admin}"
    return settings.model_copy(update=update)
