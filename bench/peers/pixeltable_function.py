"""The detector as a Pixeltable function, in a module of its own as Pixeltable asks."""

import numpy as np
import PIL.Image
import pixeltable as pxt
from nanodet import find


@pxt.udf
def detect(frame: PIL.Image.Image) -> pxt.Json:
    """Labels and scores."""
    return [[label, score] for label, score in find(np.asarray(frame.convert("RGB")))]
