"""Letters A to J drawn from fonts, in the manner of notMNIST: an out-of-distribution set for MNIST made on the spot.

notMNIST (Bulatov 2011) draws the same ten letters from fonts found on the web. These come from the fonts that
matplotlib ships, so they need no download; they are not notMNIST, and far less varied.
"""

import importlib.util
import pathlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image, ImageFont

LETTERS = "ABCDEFGHIJ"

# The fonts of matplotlib that draw the capitals A to J as such; the others hold symbols or placeholders.
FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSans-Oblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique", "DejaVuSansMono-Oblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-BoldItalic", "DejaVuSerif-Italic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta", "STIXGeneralItalic"),
    *("cmb10", "cmmi10", "cmr10", "cmss10", "cmsy10", "cmti10", "cmtt10"),
)

SIDE = 28  # pixels
_ZOOM = 4  # letters are drawn this many times larger, then averaged down


def draw_letters(count: int = 1000, *, seed: int = 0) -> np.ndarray:
    """Draws ``count`` images, uint8 ``[count, 28, 28, 1]``, light on dark; the letters and then the fonts take turns.

    As in MNIST, a letter fits a box of about 20 pixels and its centre of mass is in the middle of the image. Size (18
    to 22 pixels), rotation (up to 10 degrees) and position (up to 1 pixel) vary. Image i depends on ``seed`` and i.

    Raises:
      ImportError: Pillow or matplotlib is not installed.
    """
    try:
        from PIL import ImageFont
    except ImportError as error:
        raise ImportError('drawing letters needs Pillow: pip install "be-jax[data]"') from error
    folder = _font_folder()
    fonts = [ImageFont.truetype(folder / f"{name}.ttf", 150, layout_engine=ImageFont.Layout.BASIC) for name in FONTS]
    draws = np.random.default_rng(seed).uniform(-1, 1, size=(count, 4))
    images = np.empty((count, SIDE, SIDE, 1), np.uint8)
    for i, (size, turn, *shift) in enumerate(draws):
        font = fonts[i // len(LETTERS) % len(fonts)]
        letter = _letter(LETTERS[i % len(LETTERS)], font, height=20 + 2 * size, degrees=10 * turn)
        images[i, ..., 0] = _centred(letter, shift)
    return images


def _font_folder() -> pathlib.Path:
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise ImportError('drawing letters needs the fonts of matplotlib: pip install "be-jax[data]"')
    return pathlib.Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


def _letter(text: str, font: "ImageFont.FreeTypeFont", height: float, degrees: float) -> "Image.Image":
    """The letter, rotated, cut out tightly and scaled so that its longer side is ``height`` final pixels."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (400, 400))
    ImageDraw.Draw(canvas).text((200, 200), text, fill=255, font=font, anchor="mm")
    canvas = canvas.rotate(degrees, resample=Image.Resampling.BILINEAR)
    canvas = canvas.crop(canvas.getbbox())
    scale = height * _ZOOM / max(canvas.size)
    return canvas.resize([max(1, round(side * scale)) for side in canvas.size], resample=Image.Resampling.BOX)


def _centred(letter: "Image.Image", shift: list[float]) -> np.ndarray:
    """``[28, 28]`` with the letter's centre of mass in the middle, moved by ``shift`` (rows, columns) pixels."""
    from PIL import Image

    weight = np.asarray(letter, np.float64)
    rows, columns = np.indices(weight.shape)
    mass = np.array([(rows * weight).sum(), (columns * weight).sum()]) / weight.sum() + 0.5
    top, left = np.round((SIDE / 2 + np.asarray(shift)) * _ZOOM - mass).astype(int)
    canvas = Image.new("L", (SIDE * _ZOOM, SIDE * _ZOOM))
    canvas.paste(letter, (int(left), int(top)))
    return np.asarray(canvas.resize((SIDE, SIDE), resample=Image.Resampling.BOX))
