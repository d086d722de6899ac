"""Licences of the weights that this project knows by name; NOTICE says whose they are."""

UNKNOWN = "not known here: ask its authors"
LICENCES = {
    "yunet": "MIT",
    "haar": "Intel License Agreement For Open Source Computer Vision Library",
    "selfie": "Apache-2.0",
    **dict.fromkeys(("u2netp", "u2net", "u2net_human_seg", "silueta"), "Apache-2.0"),
    "isnet-general-use": "Apache-2.0",
    "face": "Apache-2.0",
    "squeezenet": "MIT",
    "efficient": "Apache-2.0",
    "resnet": "MIT",
    "xception": "MIT",
}
