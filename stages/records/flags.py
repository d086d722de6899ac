"""What may be odd about a photo: names for tables and parameters, and words for people."""

from typing import Literal, get_args

FaceFlag = Literal["blur", "tiny", "pose", "tint", "monochrome", "dark", "bright", "several"]
CutoutFlag = Literal["small", "large"]
FACE_FLAGS: tuple[str, ...] = get_args(FaceFlag)
CUTOUT_FLAGS: tuple[str, ...] = get_args(CutoutFlag)
WORDS = {
    "blur": "the face is blurred",
    "tiny": "the face is small",
    "pose": "the head is turned or tilted",
    "tint": "the light is coloured",
    "monochrome": "the picture has hardly any colours",
    "dark": "the face is dark",
    "bright": "the face is overexposed",
    "several": "there are several faces",
    "small": "the cut-out shows little of the person",
    "large": "the cut-out shows more than the person",
}
