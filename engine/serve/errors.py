"""API errors in OpenAI's format, so that its clients can parse them."""

from collections.abc import Mapping

RETRY_AFTER_S = 1
"""Retry-After of a full queue: about as long as a sentence takes to synthesise."""


class ApiError(Exception):
    """
    One error response: HTTP status, message, the field at fault (`param`), and a code for programs.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """
        Return the JSON body of the response.

        Half a surrogate pair, which a client may have sent, is replaced: JSON cannot hold it.
        """
        fields = {"message": self.message, "param": self.param, "code": self.code}
        texts = {
            name: text if text is None else text.encode("utf-8", "replace").decode()
            for name, text in fields.items()
        }
        error_type = _error_type(self.status)
        return {"error": {"message": texts.pop("message"), "type": error_type, **texts}}


def queue_full(queue: int) -> ApiError:
    """Return the error for a full queue (429)."""
    message = (
        f"{queue} requests are inside already, which is all that this server lets in; try again in "
        f"{RETRY_AFTER_S} s"
    )
    return ApiError(429, message, code="queue_full", headers={"Retry-After": str(RETRY_AFTER_S)})


def _error_type(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"
