"""The detector as an EvaDB function."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from evadb.catalog.catalog_type import NdArrayType
from evadb.functions.abstract.abstract_function import AbstractFunction
from evadb.functions.decorators.decorators import forward, setup
from evadb.functions.decorators.io_descriptors.data_types import PandasDataframe

sys.path.insert(0, str(Path(__file__).parent))


class NanoDet(AbstractFunction):
    @property
    def name(self) -> str:
        return "NanoDet"

    @setup(cacheable=True, function_type="object_detection", batchable=True)
    def setup(self) -> None:
        pass

    @forward(
        input_signatures=[
            PandasDataframe(columns=["data"], column_types=[NdArrayType.FLOAT32], column_shapes=[(None, None, 3)])
        ],
        output_signatures=[
            PandasDataframe(
                columns=["labels", "scores"],
                column_types=[NdArrayType.STR, NdArrayType.FLOAT32],
                column_shapes=[(None,), (None,)],
            )
        ],
    )
    def forward(self, frames: pd.DataFrame) -> pd.DataFrame:
        from nanodet import find

        found = [find(np.asarray(image, np.uint8)) for image in frames.iloc[:, 0]]
        return pd.DataFrame(
            {"labels": [[a for a, _ in one] for one in found], "scores": [[b for _, b in one] for one in found]}
        )
