"""Photos in: within the limits of params.yaml, and in memory alone.

A body is counted while it comes in, so that one without an end costs no memory, and a photo's size
is read from its header, before it is decoded.
"""

import asyncio
import threading
import time
import warnings
from collections.abc import AsyncGenerator
from typing import NamedTuple

import numpy as np
from PIL import Image
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from app.server.words import Refused
from stages.common.images import (
    MIN_SIDE,
    STRIP,
    BadImage,
    OtherFormat,
    TooManyPixels,
    TooNarrow,
    TooSmall,
    decode,
)
from stages.records.params import App

# Sizes are checked by `decode`; Pillow would write a line about each photo that is too large.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
DECODING = threading.Lock()  # a photo of 40 megapixels takes half a GB while it is decoded
MB = 2**20
PATIENCE = 5  # seconds that a body may pause, beyond those that it takes at the lowest speed
SLOWEST = 100_000  # bytes a second
REST = 3  # seconds, and times the limit: how much of a body that is too large is still thrown away
FORM = 10_000  # bytes around the photo in a form


class Upload(NamedTuple):
    photo: bytes
    fields: dict[str, str]  # of a form, without the photo


class _InMemory(MultiPartParser):
    spool_max_size = 2**40  # Starlette's own would put a photo of over 1 MB on the disk


async def read(request: Request, app: App) -> Upload:
    """A form with the file `photo`, or a body that is a photo. Raises `Refused`."""
    limit = app.max_megabytes * MB
    if not request.headers.get("content-type", "").startswith("multipart/"):
        photo = b"".join([chunk async for chunk in _chunks(request, limit)])
        return Upload(_sized(photo, limit), {})
    try:
        form = await _InMemory(
            request.headers, _chunks(request, limit + FORM), max_files=1, max_fields=8
        ).parse()
    except MultiPartException as error:
        raise Refused(400, "error.bad_request") from error
    file = form.get("photo")
    if not isinstance(file, UploadFile):
        raise Refused(400, "error.no_photo")
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return Upload(_sized(await file.read(), limit), fields)


def _sized(photo: bytes, limit: int) -> bytes:
    if not photo:
        raise Refused(400, "error.no_photo")
    if len(photo) > limit:
        raise Refused(413, "error.too_large", megabytes=limit // MB)
    return photo


async def _chunks(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """The body. Raises `Refused` where it is larger than `limit` bytes, or comes in too slowly."""
    began, size, body = time.monotonic(), 0, request.stream()
    while True:
        left = began + PATIENCE + size / SLOWEST - time.monotonic()
        try:
            chunk = await asyncio.wait_for(anext(body), left)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused(408, "error.slow") from None
        size += len(chunk)
        if size > limit:
            await _throw_away(body, REST * limit)
            raise Refused(413, "error.too_large", megabytes=limit // MB)
        yield chunk


async def _throw_away(body: AsyncGenerator[bytes, None], most: int) -> None:
    """Read on for a while: a browser that is still sending would not see the answer."""
    try:
        async with asyncio.timeout(REST):
            async for chunk in body:
                most -= len(chunk)
                if most < 0:
                    return
    except TimeoutError:
        return


def decoded(photo: bytes, app: App) -> np.ndarray:
    """(H, W, 3) `uint8` sRGB, upright. Raises `Refused`."""
    try:
        with DECODING:
            return decode(photo, app.max_megapixels * 1_000_000)
    except OtherFormat as error:
        raise Refused(415, "error.not_a_picture") from error
    except TooManyPixels as error:
        raise Refused(422, "error.too_many_pixels", megapixels=app.max_megapixels) from error
    except TooSmall as error:
        raise Refused(422, "error.too_small", pixels=MIN_SIDE) from error
    except TooNarrow as error:
        raise Refused(422, "error.too_narrow", times=STRIP) from error
    except BadImage as error:
        raise Refused(422, "error.damaged") from error
