"""Rows of the manifest for tests."""

from stages.records.manifest import Photo


def manifest_row(sha256: str, **known) -> Photo:
    """A photo of which only `sha256` and what is `known` matter."""
    text = dict.fromkeys(["person", "licence", "author", "credit", "page"], "")
    other = {"label": "cool", "source": "folder", "name": "a.jpg", "part": "pool"}
    other |= {"width": 40, "height": 30, "phash": "0" * 16}
    return Photo(**(text | other | {"id": sha256[:16], "sha256": sha256} | known))
