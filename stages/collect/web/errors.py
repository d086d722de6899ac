"""Why a download ends without a file."""


class Refused(Exception):
    """The file is not downloaded; the message is the reason, fit for `rejected.csv`."""

    def __init__(self, reason: str, *, status: int | None = None, passing: bool = False) -> None:
        super().__init__(reason)
        self.status = status  # of the HTTP response, where there was one
        self.passing = passing  # a later run may succeed
