"""What the pictures that a network sees are like."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Look:
    """Of the shards, and of the picture that a chain makes of a photo."""

    size: int  # side in pixels
    channels: Literal["rgb", "gray"]
    background: Literal["keep"] | tuple[int, int, int]  # the photo's own, or RGB

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one picture: (size, size, 3 or 1)."""
        return self.size, self.size, 3 if self.channels == "rgb" else 1
