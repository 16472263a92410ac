"""What holds for every test: a fault of ours fails the test in which it happens."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

FAULT_MARK = "expects_fault"

# An example may take long on a machine that has much else to do.
settings.register_profile("whipbird", deadline=None)
settings.load_profile("whipbird")


class _Faults(logging.Handler):
    """Keeps what our own code logs with a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0] is not None:
            self.records.append(record)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{FAULT_MARK}: the test makes our code fail, and looks at that"
    )


@pytest.fixture(autouse=True)
def _no_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which our code logs an exception that nobody expected."""
    faults = _Faults()
    logger = logging.getLogger("whipbird")
    logger.addHandler(faults)
    try:
        yield
    finally:
        logger.removeHandler(faults)
    if request.node.get_closest_marker(FAULT_MARK) is None:
        formatter = logging.Formatter()
        texts = [formatter.format(record) for record in faults.records]
        assert not texts, "faults of our own were logged:\n" + "\n".join(texts)
