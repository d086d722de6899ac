"""What a stage raises when the user, not the code, has something to do."""


class UserError(Exception):
    """A message that names the file or key, the value and what to do; shown without a traceback."""
