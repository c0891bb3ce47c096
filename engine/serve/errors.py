"""Why a request gets no audio, in the shape of OpenAI's errors, so that its clients can read it."""

from collections.abc import Mapping

RETRY_AFTER_S = 1
"""What a client is told when the house is full: about as long as a sentence takes to speak."""


class RefusedError(Exception):
    """
    One answer that is no audio: HTTP status, the sentence, the field it is about, and a word for
    programs.
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

    def document(self) -> dict[str, object]:
        """
        Return the body of the answer; half a character, which a client may have sent, has no place
        in JSON.
        """
        said = {"message": self.message, "param": self.param, "code": self.code}
        texts = {
            name: text if text is None else text.encode("utf-8", "replace").decode()
            for name, text in said.items()
        }
        return {"error": {"message": texts.pop("message"), "type": _kind(self.status), **texts}}


def busy(queue: int) -> RefusedError:
    """Say that no more requests fit in."""
    message = (
        f"{queue} requests are inside already, which is all that this server lets in; try again in "
        f"{RETRY_AFTER_S} s"
    )
    return RefusedError(
        429, message, code="queue_full", headers={"Retry-After": str(RETRY_AFTER_S)}
    )


def _kind(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"
