"""What is raised to an application that goes on with something that has ended."""


class Closed(ConnectionError):  # noqa: N818 - a state, not a fault
    """A channel, a session or a stream has ended. For a handler it is no fault."""
