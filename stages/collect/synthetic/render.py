"""Draws one person in a pose and a light, from the back hair to the glasses.

Places on the head are in half face widths from the middle of the skull: x to the right of the
picture, y down, z towards the viewer. When the head turns, places with a larger z move further.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from stages.collect.synthetic.canvas import (
    Canvas,
    curve,
    ellipse,
    lab,
    mirrored,
    path,
    ribbon,
    tint,
)
from stages.collect.synthetic.person import Person

SUPERSAMPLE = 1.5  # in addition to the anti-aliasing of every stroke
WHITE, INK = np.array([255.0, 255, 255]), np.array([28.0, 20, 20])
HAIRLINES = {
    "up": path("-.95,0 -.9,-.45 -.66,-.74 0,-.88 .66,-.74 .9,-.45 .95,0"),
    "fringe": path("-.95,.1 -.88,-.25 -.62,-.44 0,-.46 .62,-.44 .88,-.25 .95,.1"),
    "curtain": path("-.97,.3 -.84,-.2 -.5,-.56 .02,-1 .54,-.56 .84,-.2 .97,.3"),
    "swept": path("-.96,.05 -.88,-.5 -.52,-.93 -.1,-.72 .4,-.5 .85,-.3 .96,.1"),
}
PARTINGS = {"swept": (-0.5, -1.25), "curtain": (0.02, -1.3)}
LENS = path("-.3,-.16 0,-.2 .31,-.17 .27,.18 0,.22 -.26,.18")


@dataclass(frozen=True)
class Pose:
    """What changes from photo to photo. Angles are in radians, lengths in picture widths."""

    yaw: float
    pitch: float
    roll: float
    scale: float  # half a face width
    centre: tuple[float, float]
    light: float  # -1 from the left .. 1 from the right
    smile: float  # -0.1 .. 1
    open: float  # of the mouth, 0 .. 1
    brows: float  # -1 low .. 1 raised
    lids: float  # how far the eyes are open; 1 is normal
    gaze: float  # -1 to the left .. 1 to the right

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Pose":
        """A pose as in a portrait."""
        smile = rng.uniform(-0.1, 1)
        return cls(
            yaw=float(np.clip(rng.normal(0, 0.12), -0.25, 0.25)),
            pitch=float(np.clip(rng.normal(0, 0.05), -0.09, 0.09)),
            roll=float(np.radians(np.clip(rng.normal(0, 4.5), -12, 12))),
            scale=rng.uniform(0.185, 0.22),
            centre=(rng.uniform(0.45, 0.55), rng.uniform(0.43, 0.48)),
            light=rng.uniform(-1, 1),
            smile=smile,
            open=max(0.0, rng.uniform(-0.6, 1)) * (0.4 + 0.6 * max(smile, 0)),
            brows=rng.uniform(-1, 1),
            lids=rng.uniform(0.88, 1.1),
            gaze=rng.uniform(-1, 1),
        )


def portrait(
    person: Person, pose: Pose, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]]:
    """The person without a background.

    Returns premultiplied RGB (size, size, 3) float32 0..255, alpha (size, size) float32 0..1, and
    the face's x, y, width and height in pixels.
    """
    artist = _Artist(person, pose, round(size * SUPERSAMPLE), rng)
    artist.paint()
    *rgb, alpha = (cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in artist.planes)
    box = np.clip(np.round(artist.face_bounds() / SUPERSAMPLE), 0, size).astype(int)
    x, y, right, bottom = box.ravel().tolist()
    return np.dstack(rgb), alpha, (x, y, right - x, bottom - y)


class _Artist:
    def __init__(self, person: Person, pose: Pose, pixels: int, rng: np.random.Generator) -> None:
        self.p, self.s, self.pose, self.rng = person, person.shape, pose, rng
        self.unit, self.centre = pose.scale * pixels, np.array(pose.centre) * pixels
        canvas = Canvas(pixels, self.unit)
        self.fill, self.stencil, self.planes = canvas.fill, canvas.stencil, canvas.planes
        self.eyes = person.shape["eye_y"]
        self.shade, self.deep = tint(person.skin, -17, 5, 3), tint(person.skin, -36, 8, 4)
        self.glow = tint(person.skin, 9, -3)

    # Places on the head (n, 2) -> canvas pixels (n, 2).

    def turn(self, points: ArrayLike, z: np.ndarray | float) -> np.ndarray:
        """Places at depth `z`, turned by yaw and pitch, and then by roll around the neck."""
        p, pose = np.asarray(points, float), self.pose
        x = p[:, 0] * np.cos(pose.yaw) + z * np.sin(pose.yaw)
        y = p[:, 1] + z * np.sin(pose.pitch) - 1.1
        cos, sin = np.cos(pose.roll), np.sin(pose.roll)
        turned = np.stack([x * cos - y * sin, x * sin + y * cos + 1.1], 1)
        return turned * self.unit + self.centre

    def front(self, points: ArrayLike, lift: float = 0.0) -> np.ndarray:
        """Places on the front of the head, at the height `lift` above its surface."""
        p = np.asarray(points, float)
        bulge = 1 - (p[:, 0] / 1.12) ** 2 - (p[:, 1] / 1.75) ** 2
        return self.turn(p, 0.85 * np.sqrt(np.maximum(bulge, 0)) + lift)

    def rim(self, points: np.ndarray) -> np.ndarray:
        """Places on the outline of the head, of which only the chin is in front."""
        x, y = points.T
        return self.turn(points, 0.4 * np.clip(y / 1.4, 0, 1) * np.clip(1 - x**2, 0, 1))

    def torso(self, points: ArrayLike) -> np.ndarray:
        """Places on the body, which does not turn with the head."""
        return np.asarray(points, float) * self.unit + self.centre

    def spot(
        self,
        place: tuple[float, float, float, float],
        colour: np.ndarray,
        opacity: float,
        blur: float,
        lift: float = 0.0,
    ) -> None:
        """A soft ellipse x, y, rx, ry on the face."""
        self.fill(self.front(ellipse(*place), lift), colour, opacity, blur)

    def line(
        self,
        points: ArrayLike,
        width: float,
        colour: np.ndarray,
        opacity: float,
        blur: float = 0.008,
        lift: float = 0.0,
        blunt: float = 0.0,
    ) -> None:
        """A soft brush stroke along a curve on the face."""
        stroke = ribbon(self.front(curve(points), lift), width * self.unit, blunt)
        self.fill(stroke, colour, opacity, blur)

    def face_outline(self) -> np.ndarray:
        jaw, chin, low, sag = self.s["jaw"], self.s["chin"], self.s["face_l"], 0.05 * self.p.old
        right = [(0, -1.33), (0.52, -1.24), (0.88, -0.85), (1.0, -0.25), (self.s["cheek"], 0.3)]
        right += [(jaw + 0.03 + sag, 0.6 * low + sag), ((jaw + chin) / 2 + 0.09, 0.83 * low)]
        return mirrored([*right, (chin + 0.02, 0.955 * low), (chin * 0.45, low)])

    def face_bounds(self) -> np.ndarray:
        """Two corners (2, 2) of the box that a detector finds: forehead to chin, ear to ear."""
        outline = self.face_outline()
        face = self.rim(outline[outline[:, 1] > self.eyes - 0.75])
        return np.stack([face.min(0), face.max(0)])

    # The layers.

    def paint(self) -> None:
        """Paint the whole person, from back to front."""
        self.back_hair()
        self.body()
        self.head()
        for side in (-1, 1):
            self.eye(side)
        self.nose()
        self.mouth()
        self.wrinkles()
        for side in (-1, 1):
            self.brow(side)
        self.front_hair()
        if self.p.glasses:
            self.glasses()

    def back_hair(self) -> None:
        if self.p.length == "short":
            return
        end, wide = 1.25 if self.p.length == "bob" else 2.35, 1.08 + self.s["volume"]
        right = [(0, -1.2), (0.9, -0.9), (wide, 0), (wide + 0.1, 0.6 * end), (wide, end)]
        back = self.turn(mirrored([*right, (0.5, end + 0.12)]), -0.3)
        self.fill(back, tint(self.p.hair, -6), solid=True)

    def body(self) -> None:
        child, top, rng = max(0.25 - self.p.age, 0) * 4, self.s["face_l"] + 0.34, self.rng
        neck, wide, dip = 0.5 - 0.1 * child, 1.75 - 0.4 * child, rng.uniform(0.2, 0.75)
        right = [(0, 0.7), (neck, 0.7), (neck + 0.02, top), (neck + 0.45, top + 0.3), (0.1, 3.2)]
        throat = self.torso(mirrored(right))
        self.fill(throat, tint(self.p.skin, -5, 1, 1), solid=True)
        chin = self.turn(ellipse(0, self.s["face_l"] - 0.02, 0.62, 0.32), 0.2)
        self.fill(chin, self.deep, 0.75, 0.07, clip=self.stencil(throat))

        cloth = lab(rng.uniform(22, 84), *rng.uniform(-32, 32, 2))
        accent = lab(rng.uniform(25, 85), *rng.uniform(-30, 30, 2))
        dark, light = tint(cloth, -14), tint(cloth, 9)
        sleeve = [(neck + 0.4, top + 0.12), (wide - 0.2, top + 0.42), (wide + 0.1, top + 0.9)]
        right = [(0, top + dip), (neck * 0.6, top + dip * 0.6), (neck + 0.08, top - 0.06), *sleeve]
        shirt = self.torso(mirrored([*right, (wide + 0.3, 4.5)]))
        self.fill(shirt, cloth, solid=True)
        clip = self.stencil(shirt)
        if rng.random() < 0.3:
            bands = [self.torso([(-3, y), (3, y)]) for y in np.arange(1.5, 4, 0.34)]
            self.fill(bands, accent, 0.7, width=0.13, clip=clip)
        for side in (-1, 1):
            for x, y, w in ((wide - 0.4, top + 0.7, 0.3), (0.5, top + 0.9, 0.14)):
                fold = curve([(side * x, y), (side * (x + 0.05), y + 0.4), (side * (x - 0.2), 4)])
                self.fill(ribbon(self.torso(fold), w * self.unit), dark, 0.55, 0.07, clip=clip)
            if dip > 0.5:  # a collar
                lapel = [(neck + 0.06, top - 0.1), (neck + 0.3, top + 0.12)]
                lapel += [(0.34, top + dip + 0.12), (0.06, top + dip)]
                lapel = self.torso(np.array(lapel) * [side, 1])
                self.fill(lapel + [0, 0.05 * self.unit], dark, 0.7, 0.02)
                self.fill(lapel, light, solid=True)
        hem = curve([*(np.array(right[2:0:-1]) * [-1, 1]), *right[:3]])
        self.fill([self.torso(hem)], dark, 0.8, width=0.04)

    def head(self) -> None:
        y, gap, wide, light = self.eyes, self.s["eye_gap"], self.s["eye_w"], self.pose.light
        if self.p.length == "short":
            for side in (-1, 1):
                ear = path(".93,-.28 1.1,-.3 1.13,0 1.05,.25 .93,.3") * [side, 1]
                ear = self.turn(curve(ear + [0, 0.12 + 0.6 * y], closed=True), -0.12)
                self.fill(ear, tint(self.p.skin, -4, 3, 1), solid=True)
                hollow = ellipse(side * 1.03, 0.12 + 0.6 * y, 0.045, 0.17)
                self.fill(self.turn(hollow, -0.12), self.deep, 0.5, 0.03)
        face = self.rim(self.face_outline())
        self.fill(face, self.p.skin, solid=True)
        self.face = clip = self.stencil(face)

        # The skull is round: it is darker towards its outline, above all away from the light.
        self.fill([np.concatenate([face, face[:1]])], self.shade, 0.6, 0.12, clip=clip, width=0.4)
        far = -np.sign(light)
        away = self.front(curve([(far * 0.95, -0.9), (far * 0.8, 0.2), (far * 0.6, 1.0)]))
        away = ribbon(away, 0.5 * self.unit)
        self.fill(away, self.deep, 0.55 * abs(light), 0.17, clip=clip)
        self.spot((0.16 * light, 0.6 * y - 0.62, 0.42, 0.22), self.glow, 0.6, 0.15)
        rosy = tint(self.p.skin, -7, 14, 1)
        for side in (-1, 1):
            lit = 0.55 + 0.25 * side * light
            self.spot((side * 0.52, 0.42 + y, 0.17, 0.13), self.glow, lit, 0.11)
            self.spot((side * 0.55, 0.55 + 0.8 * y, 0.2, 0.13), rosy, self.p.blush, 0.11)
            # The eye sockets and the sides of the nose are deeper than cheeks and forehead.
            self.spot((side * gap, y - 0.06, wide * 1.12, 0.15), self.shade, 0.85, 0.075)
            self.spot((side * (gap - wide - 0.03), y - 0.04, 0.06, 0.12), self.deep, 0.42, 0.05)
        self.spot((0, self.s["face_l"] - 0.17, 0.17, 0.09), self.glow, 0.5, 0.07, 0.1)
        for mole in self.p.moles:
            self.spot((*mole, 0.02, 0.02), self.deep, 0.75, 0.004)

    def eye(self, side: int) -> None:
        s, pose, unit, deep = self.s, self.pose, self.unit, self.deep
        wide, high = s["eye_w"], s["eye_h"] * pose.lids * (1 - 0.18 * max(pose.smile, 0))
        u = np.linspace(-1, 1, 17)
        arch = np.clip(1 - np.abs(u) ** 2.2, 0, 1)
        cos, sin = np.cos(s["eye_tilt"]), np.sin(s["eye_tilt"])

        def place(points: np.ndarray) -> np.ndarray:
            """Canvas pixels of places in the eye, whose x points to the outer corner."""
            a, b = points.T
            x, y = s["eye_gap"] + a * cos + b * sin, self.eyes + b * cos - a * sin
            return self.front(np.stack([side * x, y], 1))

        upper = np.stack([wide * u, -high * arch**0.85], 1)
        lower = np.stack([wide * u, 0.72 * high * arch], 1)
        fold = upper - [0, 0.065]
        self.fill(place(np.concatenate([upper, fold[::-1]])), self.shade, 0.7, 0.015)
        self.fill(ribbon(place(fold * [1.02, 1]), 0.035 * unit), deep, 0.65, 0.008)
        white = place(np.concatenate([upper, lower[::-1]]))
        clip = self.stencil(white)
        self.fill(white, lab(86 - 5 * self.p.old, 2, 3 + 3 * self.p.old))
        r, gaze = 0.118 * (wide / 0.215) ** 0.5, 0.23 * wide * side * pose.gaze
        self.fill(place(ellipse(gaze, -0.012, r, r)), tint(self.p.iris, -16), clip=clip)
        inner = place(ellipse(gaze, 0.006, 0.8 * r, 0.8 * r))
        self.fill(inner, self.p.iris, 1, 0.012, clip=clip)
        self.fill(place(ellipse(gaze, -0.012, 0.45 * r, 0.45 * r)), INK, clip=clip)
        self.fill(ribbon(place(upper), 0.1 * unit, 0.6), INK, 0.55, 0.02, clip=clip)
        spark = ellipse(gaze + 0.035 * side * np.sign(pose.light), -0.05, 0.026, 0.026)
        self.fill(place(spark), WHITE, 0.95, clip=clip)
        self.fill(ribbon(place(upper * [1.05, 1]), 0.058 * unit, 0.35), INK, 0.95)
        self.fill(ribbon(place(lower), 0.026 * unit, 0.4), deep, 0.85, 0.006)
        bag = ribbon(place(lower + [0, 0.07]), 0.05 * unit)
        self.fill(bag, self.shade, 0.35 + 0.4 * self.p.old, 0.018)

    def brow(self, side: int) -> None:
        s, width, u = self.s, self.s["brow_thick"] * self.unit, np.linspace(0, 1, 22)
        x = s["eye_gap"] + s["eye_w"] * (2.5 * u - 1.15)
        arch = s["brow_arch"] * np.sin(0.85 * np.pi * u) + s["brow_tilt"] * (u - 0.3)
        y = self.eyes - s["brow_gap"] - 0.035 * self.pose.brows - arch
        line = self.front(np.stack([side * x, y], 1), 0.04)
        self.fill(ribbon(line, width * 1.15, 0.35), self.p.brows, 0.75, 0.022)
        roots = line[:-2] + self.rng.uniform(-0.1, 0.45, (20, 1)) * [0, width]
        tips = roots + (line[-1] - line[0]) * 0.08 - [0, 0.4 * width]
        hairs = list(np.stack([roots, tips], 1))
        self.fill(hairs, tint(self.p.brows, -5), 0.6, 0.003, width=0.02)

    def nose(self) -> None:
        y, wide, shade = self.eyes, self.s["nose_w"], self.shade
        tip, light = y + self.s["nose_len"], self.pose.light
        for side in (-1, 1):
            dark = 0.28 + 0.34 * max(-side * light, 0)
            bridge = [(side * 0.14, y - 0.1), (side * 0.1, y + 0.2), (side * wide, tip - 0.04)]
            self.line(bridge, 0.11, shade, dark, 0.035, 0.06, 0.3)
        self.line([(0, y - 0.12), (0, tip - 0.12)], 0.11, self.glow, 0.62, 0.03, 0.12, 0.7)
        self.spot((0, tip + 0.05, wide * 0.95, 0.06), shade, 0.95, 0.035, 0.1)
        self.spot((0, tip - 0.06, 0.09, 0.08), self.glow, 0.75, 0.04, 0.2)
        for side in (-1, 1):
            w = side * wide
            wing = [(w * 0.8, tip - 0.14), (w, tip - 0.04), (w * 0.9, tip + 0.035)]
            self.line([*wing, (w * 0.6, tip + 0.03)], 0.032, self.deep, 0.8, lift=0.12)
            hole = (w * 0.47, tip + 0.015, wide * 0.24, 0.028)
            self.spot(hole, tint(self.deep, -14), 0.9, 0.008, 0.14)

    def mouth(self) -> None:
        s, smile, lips, lip = self.s, self.pose.smile, self.p.lips, self.s["lip"]
        base = self.eyes + s["nose_len"]
        y = base + 0.47 * (s["face_l"] - base)
        wide, gape = s["mouth_w"] * (1 + 0.13 * smile), 0.11 * self.pose.open
        u = np.linspace(-1, 1, 21)
        lift, dome = (0.02 - 0.11 * smile) * np.abs(u) ** 1.8, np.clip(1 - u**2, 0, 1)
        bow = dome**0.8 * (0.82 + 0.18 * np.cos(3 * np.pi * u) * (np.abs(u) < 0.67))
        seam = y + lift + 0.012 * np.cos(2 * np.pi * u) * dome

        def at(below: np.ndarray) -> np.ndarray:
            return self.front(np.stack([wide * u, seam + below], 1), 0.05)

        top, bottom, teeth = at(-0.35 * gape * dome), at(gape * dome), at(0.1 * gape * dome)
        self.spot((0, y + gape + lip + 0.1, 0.16, 0.035), self.shade, 0.9, 0.03, 0.06)
        self.line([(0, base + 0.08), (0, y - lip * 0.8)], 0.07, self.shade, 0.5, 0.02, 0.08, 0.6)
        upper = np.concatenate([at(-0.35 * gape * dome - 0.85 * lip * bow), top[::-1]])
        lower = np.concatenate([bottom, at(gape * dome + 1.15 * lip * dome**0.7)[::-1]])
        if gape > 0.015:
            self.fill(np.concatenate([top, bottom[::-1]]), lab(16, 22, 10))
            self.fill(np.concatenate([top, teeth[::-1]]), lab(88, 0, 5), 0.95, 0.006)
        self.fill(upper, tint(lips, -5), 0.95, 0.006)
        self.fill(lower, tint(lips, 2), 0.95, 0.006)
        shine = (0.03 * self.pose.light, y + gape + lip * 0.5, wide * 0.35, lip * 0.16)
        self.spot(shine, tint(lips, 17, -4), 0.6, 0.02, 0.08)
        if gape <= 0.015:
            self.fill(ribbon(top, 0.03 * self.unit, 0.5), tint(lips, -32), 0.9, 0.004)
        for side in (-1, 1):
            self.spot((side * wide, y + lift[0], 0.03, 0.025), self.deep, 0.6, 0.015, 0.04)
            crease = [(s["nose_w"] + 0.08, base - 0.05), (wide + 0.07, y - 0.12)]
            crease = np.array([*crease, (wide + 0.1, y + 0.03)]) * [side, 1]
            depth = min(0.22 * max(smile, 0) + 0.75 * self.p.old, 0.85)
            self.line(crease, 0.05 + 0.02 * self.p.old, self.deep, depth, 0.014, 0.03)

    def wrinkles(self) -> None:
        """Forehead lines, crow's feet, pouches, marionette lines and age spots."""
        s, y, old, deep = self.s, self.eyes, self.p.old, self.deep
        if old == 0:
            return
        for row, (reach, depth) in enumerate(self.p.lines):
            h = y - s["brow_gap"] - 0.17 - 0.105 * row
            wave = [(a * reach, h + 0.04 * a * a + 0.012 * np.sin(5 * a + row)) for a in _ACROSS]
            self.line(wave, 0.032, deep, min(0.7, 0.8 * old * depth))
        for side in (-1, 1):
            corner = side * (s["eye_gap"] + s["eye_w"] + 0.05)
            for fan in (-0.2, -0.03, 0.14):
                foot = [(corner, y + 0.3 * fan), (corner + side * 0.19, y + fan)]
                self.line(foot, 0.03, deep, 0.75 * old)
            for drop in (0.16, 0.23):
                x, w, low = side * s["eye_gap"], 0.28 - 0.5 * drop, y + drop
                pouch = [(x - w, low - 0.05), (x, low + 0.03), (x + w, low - 0.05)]
                self.line(pouch, 0.045, deep, 0.6 * old)
            x, top = side * (s["mouth_w"] + 0.05), s["face_l"] - 0.38
            marionette = [(x, top), (x + side * 0.04, top + 0.12), (x, top + 0.24)]
            self.line(marionette, 0.045, deep, 0.7 * old)
            self.spot((side * 0.68, 0.66, 0.09, 0.2), self.shade, 0.5 * old, 0.08)
        for spot in self.p.spots[: int(9 * old)]:
            self.spot((*spot, 0.03, 0.024), tint(self.p.skin, -14, 4, 6), 0.5, 0.012)

    def front_hair(self) -> None:
        p, bald, unit, rng = self.p, self.p.thinning, self.unit, self.rng
        v = self.s["volume"] * (1 - 0.8 * bald)
        crown = -1.33 - 1.2 * v + 0.05 * bald
        half = [(1.03 + 0.5 * v, 0.02 if p.length == "short" else 0.35), (1.05 + 0.8 * v, -0.45)]
        half = np.array([*half, (0.88 + 0.7 * v, -0.98), (0.48 + 0.3 * v, crown + 0.08)])
        outer = curve([*half, (0, crown), *(half[::-1] * [-1, 1])])
        front = "up" if bald > 0.3 else p.front
        inner = curve(HAIRLINES[front] + [0, 0.45 * self.eyes if front == "fringe" else 0.0])
        inner[:, 1] -= 0.15 * bald * np.clip(1 - np.abs(inner[:, 0]), 0, 1)
        teeth = 0.05 if front == "fringe" else 0.018  # a fringe is ragged
        inner[6:-6, 1] += rng.uniform(-teeth, teeth, len(inner) - 12)
        rim, line = self.turn(outer, -0.05), self.front(inner, 0.06)
        shadow = np.concatenate([rim, line + [0, 0.07 * unit]])
        self.fill(shadow, self.deep, 0.5, 0.05, clip=self.face)
        locks, end = [], 1.15 if p.length == "bob" else 2.2
        if p.length != "short":
            lock = [(0.92, -0.45), (1.05 + v, -0.35), (1.1 + v, 0.35 * end)]
            lock += [(1.04 + v, 0.65 * end), (1.1 + v, 0.88 * end), (0.98, end + 0.06)]
            lock = np.array([*lock, (0.82, 0.9 * end), (0.9, 0.6 * end), (0.87, 0.3)])
            locks = [self.turn(curve(lock * [side, 1], closed=True), 0.05) for side in (-1, 1)]
        pieces = [np.concatenate([rim, line]), *locks]
        for piece in pieces:
            self.fill(piece, p.hair, 1 - 1.3 * max(bald - 0.45, 0), solid=True)
        clip = self.stencil(*pieces)

        # Hairs go from the parting to the hairline and the sides; half of them are darker.
        n, spread = 110, 0.12 if front in PARTINGS else 0.35
        start = self.turn([PARTINGS.get(front, (0, crown + 0.02))], 0.2)
        roots = [start + rng.normal(0, spread * unit, (2 * n, 1)) * [1, 0]]
        tips = [rng.choice(line, n), rng.choice(rim, n)]
        for lock in locks:
            roots.append(rng.choice(lock[:12], 40))
            tips.append(rng.choice(lock[len(lock) // 2 - 3 : len(lock) // 2 + 4], 40))
        roots, tips, t = np.concatenate(roots)[:, None], np.concatenate(tips)[:, None], _ALONG
        sway = rng.normal(0, 0.035 * unit, roots.shape) * np.sin(np.pi * t)
        hairs = roots * (1 - t) + tips * t + sway
        for first, shift in enumerate((-11, 12)):
            self.fill(list(hairs[first::2]), tint(p.hair, shift), 0.5, clip=clip, width=0.018)
        arc = curve([(-0.7, crown + 0.6), (0, crown + 0.34), (0.7, crown + 0.6)])
        gloss = self.front(arc + [0.25 * self.pose.light, 0], 0.05)
        self.fill(ribbon(gloss, 0.2 * unit), tint(p.hair, 17), 0.42, 0.07, clip=clip)
        self.fill([rim], tint(p.hair, -10), 0.5, 0.05, clip=clip, width=0.12)

    def glasses(self) -> None:
        gap, y, wires = self.s["eye_gap"] + 0.01, self.eyes + 0.03, []
        for side in (-1, 1):
            lens = self.front(curve(LENS * [side, 1] + [side * gap, y], closed=True), 0.12)
            self.fill(lens, WHITE, 0.07)
            temple = self.front([(side * (gap + 0.3), y - 0.08), (side * 1.0, y - 0.06)], 0.05)
            wires += [np.concatenate([lens, lens[:1]]), temple]
        bridge = curve([(-gap + 0.29, y - 0.06), (0, y - 0.1), (gap - 0.29, y - 0.06)])
        self.fill([*wires, self.front(bridge, 0.2)], self.p.hair * 0.4, 0.95, width=0.035)


_ACROSS = np.linspace(-1, 1, 7)
_ALONG = np.linspace(0, 1, 7)[None, :, None]
