"""Files lose what they say besides the picture, and nothing of the picture."""

import io
import itertools
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from benchmarks import fuzz_collect as fuzz
from stages.collect.metadata import stripped
from stages.common.images import BadImage, decode

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SECRET = b"Anna at home"
XMP = b'<x:xmpmeta tiff:Orientation="%d">' + SECRET + b"</x:xmpmeta>"
FORMATS = ("JPEG", "PNG", "WEBP")


def photo(form, orientation=1, gps=True, **options):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = SECRET.decode()
    if orientation != 1:
        exif[ExifTags.Base.Orientation] = orientation
    if gps:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 12.0, 3.0)})
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, exif=exif, icc_profile=PROFILE, **options)
    return file.getvalue()


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def segment(code, body):
    return b"\xff" + bytes([code]) + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize(("form", "orientation"), [*itertools.product(FORMATS, range(1, 9))])
def test_place_and_words_go_and_the_picture_stays(form, orientation):
    data = photo(form, orientation)
    bare = stripped(data)
    assert SECRET in data and SECRET not in bare
    assert (decode(bare) == decode(data)).all() and stripped(bare) == bare
    image = opened(bare)
    assert image.info["icc_profile"] == PROFILE
    expected = {} if orientation == 1 else {ExifTags.Base.Orientation: orientation}
    assert dict(image.getexif()) == expected and not image.getexif().get_ifd(0x8825)


@pytest.mark.parametrize("form", FORMATS)
def test_an_orientation_in_xmp_alone_counts(form):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    file, options = io.BytesIO(), {"xmp": XMP % 6}
    if form == "PNG":
        from PIL.PngImagePlugin import PngInfo

        (text := PngInfo()).add_itxt("XML:com.adobe.xmp", (XMP % 6).decode())
        options = {"pnginfo": text}
    Image.fromarray(pixels).save(file, form, **options)
    bare = stripped(file.getvalue())
    assert decode(bare).shape == (48, 32, 3) and SECRET not in bare
    assert (decode(bare) == decode(file.getvalue())).all()


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xE0, b"JFXX\0\x13" + SECRET),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET),
        segment(0xE2, b"MPF\0" + SECRET),
        segment(0xED, b"Photoshop 3.0\0" + SECRET),
        segment(0xEF, SECRET),
        segment(0xFE, SECRET),
    ],
)
def test_segments_that_are_no_picture_go(extra):
    data = photo("JPEG", gps=False)
    data = data[:2] + extra + data[2:] + b"\xff\xd8" + SECRET  # and what follows the end
    bare = stripped(data)
    assert SECRET not in bare and (decode(bare) == decode(data)).all()


def test_a_thumbnail_in_the_jfif_segment_goes():
    data = photo("JPEG", gps=False)
    assert data[6:11] == b"JFIF\0" and data[2:6] == b"\xff\xe0\0\x10"
    small = SECRET + bytes(12 - len(SECRET) % 12)
    body = data[6:18] + bytes([len(small) // 3, 1]) + small
    bare = stripped(data[:2] + segment(0xE0, body) + data[20:])
    assert SECRET not in bare and bare == stripped(data)


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"tIME", b"priv"])
@pytest.mark.parametrize("late", [False, True])
def test_chunks_that_are_no_picture_go(kind, late):
    body = {b"zTXt": b"k\0\0" + zlib.compress(SECRET), b"iTXt": b"k\0\0\0\0\0" + SECRET}
    body = body.get(kind, b"k\0" + SECRET)
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    data = photo("PNG", gps=False)
    at = data.rindex(b"IEND") - 4 if late else 33
    bare = stripped(data[:at] + chunk + data[at:] + SECRET)
    assert bare == stripped(data) and SECRET not in bare


def test_a_file_without_metadata_is_the_same_file():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    for form in FORMATS:
        data = fuzz.encoded(pixels, form)
        assert stripped(data) == data


BASES = fuzz.bases(np.random.default_rng(0))


@given(st.integers(0, 11), st.integers(0, 7), st.integers(0, 2**32))
def test_of_damaged_files_the_picture_is_the_same_or_the_file_is_refused(base, kind, seed):
    data = fuzz.broken(BASES[base], kind, np.random.default_rng(seed))
    try:
        before = decode(data)
        after = decode(stripped(data))
    except BadImage:
        return
    assert (before == after).all()
