"""Where SFace wants a face: the same for the network in OpenCV (split) and in Keras (search)."""

SIDE = 112  # pixels
EYES = ((38.3, 51.7), (73.5, 51.5))  # x, y of the left and right eye, as seen, in these pixels
