from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from importlib.metadata import entry_points

for runner in ("hf", "onnx", "python"):
    (entry,) = [each for each in entry_points(group="suffice.runners") if each.name == runner]
    assert callable(entry.load())
import suffice.project
heavy = {"torch", "transformers", "huggingface_hub", "onnxruntime", "PIL", "jsonschema", "scipy", "pandas", "av"}
print(sorted(heavy & set(sys.modules)))
"""


def test_runners_are_found_and_import_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
