"""The arrays that trends are read from, by what they hold."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int_]
Days = npt.NDArray[np.datetime64]
"""UTC days."""
Texts = npt.NDArray[np.object_]
