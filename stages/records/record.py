"""What every record is: a frozen dataclass that `msgspec` reads and writes.

`msgspec.Struct` instead of `dataclasses.dataclass`, because msgspec checks every field's type when
it reads, and is imported in milliseconds: worker processes start with it.
"""

from typing import dataclass_transform

import msgspec


# All records are frozen: type checkers take that from here, as msgspec does from the base class.
@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file's content, one row of a table, or a part of either."""
