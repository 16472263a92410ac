"""Fuzzes targets by coverage, with Atheris: ``python -m tests.fuzz``.

Each target runs in a process of its own, because libFuzzer ends its process. What is
interesting goes to ``.fuzz/TARGET``, and what fails to ``.fuzz/TARGET-crash-…``; put
that into ``tests/fuzz/corpus/TARGET`` when you mend it.
"""

import argparse
import subprocess
import sys
from pathlib import Path

FOLDER = Path(".fuzz")
# Octets of an input, at most.
MAX_LENGTH = 16_384


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="by default all")
    parser.add_argument("--minutes", type=float, default=3.0, help="for each target")
    parser.add_argument("--write-seeds", action="store_true", help="and do not run")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        fuzz(options.targets[0], options.minutes)
        return 0

    from tests.fuzz.targets import TARGETS

    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if options.write_seeds:
        for name in names:
            write_seeds(name)
        return 0
    failed = [name for name in names if not _run(name, options.minutes)]
    if failed:
        sys.stdout.write(f"Failed: {', '.join(failed)}; the inputs are in {FOLDER}.\n")
    return 1 if failed else 0


def write_seeds(name: str) -> None:
    """Write the seeds of a target to its corpus."""
    from tests.fuzz.targets import CORPUS, TARGETS

    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for seed, octets in TARGETS[name].seeds():
        (folder / f"seed-{seed}").write_bytes(octets)


def _run(name: str, minutes: float) -> bool:
    sys.stdout.write(f"== {name}, {minutes:g} min\n")
    sys.stdout.flush()
    command = (sys.executable, "-m", "tests.fuzz", "--inside", name)
    return not subprocess.call((*command, "--minutes", str(minutes)))


def fuzz(name: str, minutes: float) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["whipbird"]):
        from tests.fuzz.targets import CORPUS, TARGETS
    found = FOLDER / name
    found.mkdir(parents=True, exist_ok=True)
    arguments = [
        sys.argv[0],
        str(found),
        str(CORPUS / name),
        f"-max_total_time={max(1, round(minutes * 60))}",
        f"-max_len={MAX_LENGTH}",
        f"-artifact_prefix={FOLDER / name}-",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-verbosity=0",
    ]
    atheris.Setup(arguments, TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
