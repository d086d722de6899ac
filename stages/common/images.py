"""Pictures in and out. A file's bytes say what it is, never its name."""

import io
import re
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from stages.common.errors import UserError

MAX_BYTES = 100_000_000  # of a photo's file: none is larger, and each is read whole
MAX_PIXELS = 100_000_000  # read from the header, as a few hundred kB can unpack to gigabytes
MIN_SIDE = 16  # pixels: less shows no face
STRIP = 20  # times as long as wide: shrunk to a detector's size, it would vanish
# Of a progressive JPEG. Encoders make about 10; each costs up to 40 ms, and a hostile file can have
# one every 140 bytes.
MAX_SCANS = 100
ROWS = 256  # of a picture, converted at a time
MARKER = re.compile(rb"\xff+[^\x00\x01\xff\xd0-\xd7]")  # of a JPEG segment with a length
SCAN, END = 0xDA, 0xD9


class BadImage(ValueError):
    """Bytes that are not a usable photo; the message is the reason, fit for `rejected.csv`."""


class OtherFormat(BadImage):
    pass


class TooManyPixels(BadImage):
    pass


class TooSmall(BadImage):
    pass


class TooNarrow(BadImage):
    pass


def why(error: Exception) -> str:
    """Why a photo is left out that a library failed on: its text is about this photo alone.

    Raises `error` again if it is about the machine, such as a full disk, or for the user to mend.
    """
    memory = isinstance(error, MemoryError) or getattr(error, "code", None) == cv2.Error.StsNoMem
    if memory or isinstance(error, (OSError, UserError)):
        raise error
    line = (str(error).strip() or "no message").splitlines()[0][:200]
    return f"cannot be examined ({type(error).__name__}: {line})"


def extension(data: bytes) -> str:
    """The format by the first bytes: "jpg", "png" or "webp". Raises `OtherFormat`."""
    if not data:
        raise OtherFormat("empty file")
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    raise OtherFormat("not a jpg, png or webp picture")


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A jpg, png or webp file's bytes -> (H, W, 3) `uint8` sRGB, upright (EXIF orientation).

    CMYK, 16-bit, grey and palette pictures are converted. Transparent pictures are laid on white.
    An embedded colour profile is converted to sRGB. Like browsers, this ignores a profile that is
    broken or of another colour model than the picture. Of an animation, the first frame is taken.
    Raises `OtherFormat` for anything else, `TooManyPixels` for more than `max_pixels`, `TooSmall`
    for a side below `MIN_SIDE`, `TooNarrow` where one side is more than `STRIP` times the other,
    and `BadImage` for a picture that is cut short or has more than `MAX_SCANS` scans.
    """
    if extension(data) == "jpg" and (scans := _scans(data)) > MAX_SCANS:
        raise BadImage(f"a JPEG in {scans} scans; at most {MAX_SCANS} are decoded")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            width, height = image.size
            size = f"{width} x {height}"
            if width * height > max_pixels:
                raise _too_large(size, max_pixels)
            if min(width, height) < MIN_SIDE:
                raise TooSmall(f"{size} pixels; a side must have at least {MIN_SIDE}")
            if max(width, height) > STRIP * min(width, height):
                raise TooNarrow(f"{size} pixels; too narrow a strip to show a face")
            image.load()
            upright = _upright(image)
        del image  # 160 MB of a large photo that was turned
        return _pixels(upright)
    except BadImage:
        raise
    except Image.DecompressionBombError:
        raise _too_large("this picture", max_pixels) from None
    except UnidentifiedImageError:
        raise BadImage("damaged or cut short (no pixels follow its header)") from None
    except Exception as error:  # hostile bytes raise anything: struct.error, SyntaxError, ...
        raise BadImage(f"damaged or cut short ({error or type(error).__name__})") from error


def _too_large(what: str, max_pixels: int) -> TooManyPixels:
    return TooManyPixels(f"{what} has more than the {max_pixels // 1_000_000} megapixels allowed")


def _scans(data: bytes) -> int:
    at, scans = 2, 0
    while (marker := MARKER.search(data, at)) and marker[0][-1] != END:
        scans += marker[0][-1] == SCAN
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans


def _upright(image: Image.Image) -> Image.Image:
    with suppress(Exception):  # a broken EXIF block says nothing about the pixels
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # else it would be copied
            return ImageOps.exif_transpose(image)
    return image


def _pixels(image: Image.Image) -> np.ndarray:
    """Strip by strip: a large picture with a profile or transparency takes half a GB else."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, ROWS):
        bottom = min(top + ROWS, image.height)
        strip = image.crop((0, top, image.width, bottom))
        pixels[top:bottom] = np.asarray(_to_srgb(strip))
    return pixels


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    if image.mode.startswith("I"):  # 16-bit grey, which PIL's own conversion would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image = _in(image, {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}.get(image.mode, "RGB"))
    if profile:
        with suppress(ImageCms.PyCMSError, OSError, ValueError):
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(
                image, io.BytesIO(profile), srgb, outputMode="RGB"
            )
            image = converted or image  # None for a conversion in place alone
    image = _in(image, "RGB")
    if alpha is not None:
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        return white
    return image


def _in(image: Image.Image, mode: str) -> Image.Image:
    """Not PIL's own: it copies the picture even if there is nothing to convert."""
    return image if image.mode == mode else image.convert(mode)


def write_png(path: Path, image: np.ndarray, *, stored: bool = False) -> None:
    """Write (H, W), (H, W, 3) RGB or (H, W, 4) RGBA `uint8` losslessly.

    `stored`: without compression. A cut-out then needs twice the disk and an eighth of the time to
    read.
    """
    if image.ndim == 3:
        image = cv2.cvtColor(image, {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[image.shape[2]])
    options = [cv2.IMWRITE_PNG_COMPRESSION, 0 if stored else 1]
    if stored:
        options += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    path.write_bytes(cv2.imencode(".png", image, options)[1].tobytes())


def read_png(path: Path) -> np.ndarray:
    """What `write_png` wrote: `uint8`, grey, RGB or RGBA."""
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise OSError(f"{path} is not a readable PNG")
    if image.ndim == 3:
        image = cv2.cvtColor(image, {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}[image.shape[2]])
    return image
