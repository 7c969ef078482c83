"""What can go wrong with one request, sorted by what must follow."""

__all__ = [
    "FetchError",
    "ForbiddenError",
    "OaiError",
    "RefusedError",
    "ThrottledError",
    "TransientError",
]


class FetchError(Exception):
    """Base: a request did not bring what it was sent for."""


class TransientError(FetchError):
    """The same request may succeed later: a cut page, a reset, a server error.

    Attributes
    ----------
    body : bytes
        What arrived, where anything did.
    is_repairable : bool
        Whether only characters that XML forbids keep the page from being read.
    is_slow : bool
        Whether the reply took too long: a smaller question may be answered.
    """

    def __init__(
        self,
        reason: str,
        *,
        body: bytes = b"",
        is_repairable: bool = False,
        is_slow: bool = False,
    ) -> None:
        super().__init__(reason)
        self.body = body
        self.is_repairable = is_repairable
        self.is_slow = is_slow


class ThrottledError(FetchError):
    """The server asks for rest: 429, 503, or its ``Rate exceeded.`` under status 200.

    Attributes
    ----------
    retry_after_s : float or None
        Seconds asked for; None where the reply names none (``Retry-After: 0`` says nothing).
    is_final : bool
        Whether patience is used up, so that the run must end.
    rest_s : float
        Seconds of the cool-down that the reply began.
    """

    def __init__(
        self, reason: str, *, retry_after_s: float | None = None, is_final: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.is_final = is_final
        self.rest_s = 0.0


class RefusedError(FetchError):
    """The request is wrong and stays wrong: 400, 404, 414 and their like.

    Attributes
    ----------
    is_of_content : bool
        Whether what was asked for is at fault, so that a part of it may be answered.
    """

    def __init__(self, reason: str, *, is_of_content: bool = False) -> None:
        super().__init__(reason)
        self.is_of_content = is_of_content


class ForbiddenError(FetchError):
    """403: arXiv has blocked this client; going on would count as an attack."""


class OaiError(FetchError):
    """An error that OAI-PMH states inside a reply.

    Attributes
    ----------
    code : str
        ``badResumptionToken``, ``badArgument`` and so on.
    as_of : str
        The server's day, ``YYYY-MM-DD``.
    """

    def __init__(self, code: str, message: str, *, as_of: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.as_of = as_of
