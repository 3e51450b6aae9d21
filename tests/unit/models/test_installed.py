from __future__ import annotations

import pytest

from suffice.errors import ModelError
from suffice.models.installed import installed_file


def test_finds_without_importing() -> None:
    assert installed_file("detect", "suffice.assets", "coco_labels.txt", "text").read_text().startswith("person\n")


@pytest.mark.parametrize(
    ("package", "message"),
    [
        ("no_such_package", "ocr needs the package no_such_package: pip install 'suffice[documents]'"),
        ("suffice.assets", "ocr needs det.onnx, which the installed suffice.assets lacks"),
    ],
)
def test_says_what_to_install(package: str, message: str) -> None:
    with pytest.raises(ModelError) as error:
        installed_file("ocr", package, "det.onnx", "documents")
    assert str(error.value).startswith(message)
