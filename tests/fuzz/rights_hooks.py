"""A check for Schemathesis: each operation that needs a right refuses who lacks it.

``EXPECTED_STATUS`` is the status for that: 401 without a token, 403 with one that has
no right for what is asked.
"""

import os
from typing import Any

import schemathesis
import yaml

from tests.fuzz import openapi_hooks  # noqa: F401 - the bodies are those of the other run
from whipbird.http.description import description_file

_DOCUMENT = yaml.safe_load(description_file().read_text(encoding="utf-8"))
# The status tells everybody the version, and nothing more without a token.
_FOR_STRANGERS = {"/api/status"}
_EXPECTED = int(os.environ["EXPECTED_STATUS"])


@schemathesis.check
def is_refused(
    _context: Any, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """The response is a refusal, and nothing else, if the operation needs a right."""
    status = response.status_code
    operation = _DOCUMENT["paths"][case.operation.path][case.method.lower()]
    if case.operation.path in _FOR_STRANGERS and status == 200:
        return
    # It is documented where there is such a response.
    needs_right = str(_EXPECTED) in operation["responses"]
    if needs_right:
        assert status == _EXPECTED, f"{status}, not {_EXPECTED}: {response.text[:300]}"
    else:
        assert status not in (401, 403), status
