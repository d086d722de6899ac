"""A photo's file without what it says besides the picture: place, time, camera, names, thumbnails.

The coded pixels stay, byte for byte. So do the colour profile and the orientation, which decide how
the pixels look.
"""

import io
import zlib
from contextlib import suppress

from PIL import ExifTags, Image

from stages.common.images import END, MARKER, SCAN, extension

# PNG chunks that are the picture: https://www.w3.org/TR/png-3/#11Chunks
PNG = {b"IHDR", b"PLTE", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"IDAT", b"IEND"}
PNG |= {b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI"}
# WebP chunks: https://developers.google.com/speed/webp/docs/riff_container
WEBP = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
WEBP_EXIF, WEBP_XMP = 0x08, 0x04  # bits of VP8X that announce such a chunk


def stripped(data: bytes) -> bytes:
    """The file without metadata; the same bytes where it has none.

    `data`: a file that `stages.common.images.decode` accepts.
    """
    strip = {"jpg": _jpeg, "png": _png, "webp": _webp}[extension(data)]
    bare = strip(data, b"")
    if bare == data or (orientation := _orientation(data)) == 1:
        return bare
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return strip(data, exif.tobytes())


def _orientation(data: bytes) -> int:
    """As `decode` sees it: in any block of the file, 1 if it cannot be read."""
    with (
        suppress(Exception),
        Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image,
    ):
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
        return found if found in range(2, 9) else 1
    return 1


def _jpeg(data: bytes, exif: bytes) -> bytes:
    """Segments: https://www.w3.org/Graphics/JPEG/itu-t81.pdf, annex B"""
    kept = [data[:2]]
    if exif:
        kept.append(b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif)
    at = 2
    while (marker := MARKER.search(data, at)) and marker[0][-1] != SCAN:
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
        kept.append(_segment(marker[0][-1], data[marker.end() + 2 : at], data[marker.start() : at]))
    start = marker.start() if marker else at
    while (marker := MARKER.search(data, at)) and marker[0][-1] != END:
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    # Behind the end, cameras put further pictures and videos.
    return b"".join([*kept, data[start : marker.end() if marker else len(data)]])


def _segment(code: int, body: bytes, whole: bytes) -> bytes:
    """A segment before the first scan, as far as it is kept."""
    if code == 0xE0 and body.startswith(b"JFIF\0"):  # without its thumbnail
        return b"\xff\xe0\x00\x10" + body[:12] + b"\0\0"
    if code == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
        return whole
    if code == 0xEE and body.startswith(b"Adobe"):  # says how colours are coded
        return whole
    return b"" if 0xE0 <= code <= 0xEF or code == 0xFE else whole


def _png(data: bytes, exif: bytes) -> bytes:
    kept, at = [data[:8]], 8
    while at < len(data) and kept[-1][4:8] != b"IEND":
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] in PNG:
            kept.append(data[at:end])
        at = end
    if exif:
        chunk = b"eXIf" + exif.removeprefix(b"Exif\0\0")
        sizes = (len(chunk) - 4).to_bytes(4, "big"), zlib.crc32(chunk).to_bytes(4, "big")
        kept.insert(2, sizes[0] + chunk + sizes[1])
    return b"".join(kept)


def _webp(data: bytes, exif: bytes) -> bytes:
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    chunks, at = [], 12
    while at < end:
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : min(at + 8 + size, end)]
        at += 8 + size + size % 2
        if kind == b"VP8X":
            flags = body[0] & ~(WEBP_EXIF | WEBP_XMP) | (WEBP_EXIF if exif else 0)
            body = bytes([flags]) + body[1:]
        if kind in WEBP:
            chunks.append(_chunk(kind, body))
    if exif:
        chunks.append(_chunk(b"EXIF", exif.removeprefix(b"Exif\0\0")))
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + len(content).to_bytes(4, "little") + content


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)
