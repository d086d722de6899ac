import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from stages.common.images import (
    BadImage,
    TooManyPixels,
    decode,
    extension,
    read_png,
    write_png,
)

RED, GREEN, BLUE = (220, 30, 40), (20, 200, 60), (30, 40, 210)


def drawn(width=64, height=48):
    """A smooth picture whose top left is red, top right green and bottom blue."""
    image = np.full((height, width, 3), BLUE, np.uint8)
    image[: height // 2, : width // 2] = RED
    image[: height // 2, width // 2 :] = GREEN
    return image


def saved(image, form="PNG", **options):
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file, form, **options)
    return file.getvalue()


def close(image, expected, within=6):
    """Mean absolute difference: JPEG and WebP blur the edges."""
    assert image.shape == expected.shape and image.dtype == np.uint8
    assert np.abs(image.astype(int) - expected).mean() < within


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width, height):
    """A PNG of a few bytes whose header claims a size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.parametrize(("form", "name"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_the_three_formats(form, name):
    data = saved(drawn(), form)
    assert extension(data) == name
    close(decode(data), drawn())


def test_exif_orientation_of_all_eight_kinds():
    upright = drawn()
    stored = {  # what a camera writes, that the tag tells to undo
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    for tag, image in stored.items():
        exif = Image.Exif()
        exif[0x0112] = tag
        data = saved(np.ascontiguousarray(image), exif=exif)
        np.testing.assert_array_equal(decode(data), upright, err_msg=f"orientation {tag}")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File")
def test_broken_exif_is_no_reason_to_refuse():
    close(decode(saved(drawn(), "JPEG", exif=b"Exif\0\0MM\0*garbage")), drawn())


def test_cmyk_as_adobe_writes_it_is_not_inverted():
    close(decode(saved(Image.fromarray(drawn()).convert("CMYK"), "JPEG")), drawn())


def test_16_bit_grey_keeps_its_whole_range():
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None].repeat(32, 0)
    image = decode(cv2.imencode(".png", ramp)[1].tobytes())
    np.testing.assert_array_equal(image, (ramp >> 8).astype(np.uint8)[..., None].repeat(3, 2))


def test_16_bit_colour():
    deep = drawn()[..., ::-1].astype(np.uint16) * 257
    np.testing.assert_array_equal(decode(cv2.imencode(".png", deep)[1].tobytes()), drawn())


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_and_black_and_white(mode):
    grey = Image.fromarray(drawn()).convert(mode)
    close(decode(saved(grey)), np.array(grey.convert("RGB")), within=0.01)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_transparency_is_laid_on_white(form):
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, 32:] = 0
    alpha[:, :8] = 128
    image = decode(saved(np.dstack([drawn(), alpha]), form, lossless=True))
    np.testing.assert_array_equal(image[:, 32:], 255)
    np.testing.assert_array_equal(image[:, 8:32], drawn()[:, 8:32])
    close(image[:, :8], ((drawn()[:, :8].astype(int) + 255) // 2).astype(np.uint8), within=1.5)


def test_grey_with_alpha():
    pixels = np.dstack([np.full((20, 20), 90, np.uint8), np.full((20, 20), 255, np.uint8)])
    pixels[:10, :, 1] = 0
    image = decode(saved(Image.merge("LA", [Image.fromarray(p) for p in cv2.split(pixels)])))
    assert (image[:10] == 255).all() and (image[10:] == 90).all()


def test_palette_with_a_transparent_colour():
    palette = Image.fromarray(drawn()).quantize(8)
    clear = palette.getpixel((0, 0))
    image = decode(saved(palette, transparency=clear))
    assert (image[:24, :32] == 255).all()
    close(image[24:], drawn()[24:], within=2)
    close(decode(saved(palette)), drawn(), within=2)


def test_colour_profile_is_converted_to_srgb():
    """Red and green are exchanged in the profile: what it calls red is sRGB's green."""
    profile = _swapped_profile()
    plain = decode(saved(drawn()))
    converted = decode(saved(drawn(), icc_profile=profile))
    np.testing.assert_array_equal(plain, drawn())
    close(converted, drawn()[..., [1, 0, 2]], within=4)


def _swapped_profile():
    """sRGB with the red and green primaries exchanged, so that a conversion cannot be missed."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", data, 128)[0]
    tags = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    data[tags[b"rXYZ"] : tags[b"rXYZ"] + 4] = b"gXYZ"
    data[tags[b"gXYZ"] : tags[b"gXYZ"] + 4] = b"rXYZ"
    return bytes(data)


# Names of their own: a profile holds the time at which it was made.
@pytest.mark.parametrize(
    "profile", [b"nonsense" * 40, _swapped_profile()[:150]], ids=["nonsense", "cut off"]
)
def test_broken_profile_is_ignored(profile):
    np.testing.assert_array_equal(decode(saved(drawn(), icc_profile=profile)), drawn())


def test_profile_of_another_colour_model_is_ignored():
    grey = Image.fromarray(drawn()).convert("L")
    image = decode(saved(grey, icc_profile=_swapped_profile()))
    np.testing.assert_array_equal(image, np.array(grey.convert("RGB")))


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_first_frame_of_an_animation(form):
    first, then = Image.fromarray(drawn()), Image.new("RGB", (64, 48))
    data = saved(first, form, save_all=True, append_images=[then], lossless=True)
    np.testing.assert_array_equal(decode(data), drawn())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"<html>not found</html>", "not a jpg, png or webp"),
        (saved(drawn(), "GIF"), "not a jpg, png or webp"),
        (saved(drawn(), "TIFF"), "not a jpg, png or webp"),
        (saved(drawn(), "JPEG")[:300], "cut short"),
        (saved(drawn(), "PNG")[:60], "cut short"),
        (saved(drawn(), "WEBP")[:60], "cut short"),
        (b"\xff\xd8\xff", "no pixels follow its header"),
        (png_claiming(64, 48), "cut short"),
        (saved(drawn(15, 400)), "15 x 400 pixels"),
        (png_claiming(12_000, 10_000), "12000 x 10000 has more than the 100 megapixels"),
        (png_claiming(100_000, 100_000), "more than the 100 megapixels"),
    ],
)
def test_refused_with_a_reason(data, reason):
    with pytest.raises(BadImage, match=reason):
        decode(data)


def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded(monkeypatch):
    data = saved(drawn(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    close(decode(data[:-2] + data[last:-2] * 20 + data[-2:]), drawn())
    # A phone's moving photo has a film behind the picture's end: what looks like scans is none.
    close(decode(data + data[last:-2] * 500), drawn())
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded before the check"))
    with pytest.raises(BadImage, match="a JPEG in 5010 scans; at most 100"):
        decode(data[:-2] + data[last:-2] * 5000 + data[-2:])


def test_pixel_limit_is_read_from_the_header_not_the_pixels(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded before the check"))
    with pytest.raises(TooManyPixels, match="64 x 48 has more"):
        decode(png_claiming(64, 48), 64 * 48 - 1)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File")
def test_hostile_bytes_give_a_picture_or_a_reason():
    """Hundreds of truncations and bit flips: no crash, no hang, no other exception."""
    rng = np.random.default_rng(0)
    noisy = np.clip(drawn() + rng.normal(0, 20, (48, 64, 3)), 0, 255).astype(np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = Image.fromarray(noisy).quantize(32)
    sources = [
        saved(noisy, "JPEG", exif=exif, icc_profile=profile),
        saved(noisy, "JPEG", progressive=True),
        saved(Image.fromarray(noisy).convert("CMYK"), "JPEG"),
        saved(noisy, "PNG", exif=exif, icc_profile=profile),
        saved(palette, "PNG", transparency=3),
        saved(noisy, "WEBP", exif=exif, icc_profile=profile),
        saved(Image.fromarray(noisy), "WEBP", save_all=True, append_images=[palette]),
    ]
    refused = 0
    for data in sources:
        for trial in range(60):
            hostile = bytearray(data)
            if trial % 3 == 0:
                del hostile[rng.integers(1, len(data)) :]
            else:
                reach = len(data) if trial % 3 == 1 else 200  # anywhere, or in the headers
                for at in rng.integers(0, min(reach, len(data)), rng.integers(1, 9)):
                    hostile[at] ^= 1 << rng.integers(8)
            try:
                image = decode(bytes(hostile))
            except BadImage as error:
                assert str(error) and " at 0x" not in str(error)  # the same words every time
                refused += 1
            else:
                assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert refused > 100


def test_pil_is_left_as_it_was():
    before = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    decode(saved(drawn()))
    with pytest.raises(BadImage):
        decode(saved(drawn())[:60])
    assert (ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS) == before == (False, before[1])


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_round_trip_under_a_korean_name(tmp_path, channels, stored):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, channels), np.uint8).squeeze()
    write_png(tmp_path / "웜톤.png", image, stored=stored)
    np.testing.assert_array_equal(read_png(tmp_path / "웜톤.png"), image)


def test_unreadable_png_names_the_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(OSError, match=r"a\.png"):
        read_png(tmp_path / "a.png")
