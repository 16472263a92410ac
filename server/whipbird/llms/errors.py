"""Why a language model does not answer."""

from enum import StrEnum


class Code(StrEnum):
    """What kind of error it is; clients can rely on these words."""

    BAD_REQUEST = "bad_request"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_CONVERSATION = "unknown_conversation"
    FORBIDDEN = "forbidden"
    BUSY = "busy"
    NOT_RUNNING = "not_running"
    UNKNOWN_HOST = "unknown_host"
    UNREACHABLE = "unreachable"
    KEY_REFUSED = "key_refused"
    TOO_MANY_REQUESTS = "too_many_requests"
    REFUSED = "refused"
    FAILED = "failed"
    MALFORMED = "malformed"
    CUT_OFF = "cut_off"
    STALLED = "stalled"
    STOPPING = "stopping"


class ChatError(Exception):
    """A reply that is not given, or not to its end. The message says why.

    Args:
        code: the kind of error.
        message: a sentence for people.
        param: the member of the request that is wrong.
        retry_after: seconds after which it may be tried again, if that is known.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.retry_after = retry_after


def bad_request(message: str, param: str | None = None) -> ChatError:
    """The error of a request that is malformed, or asks for what there is not."""
    return ChatError(Code.BAD_REQUEST, message, param=param)
