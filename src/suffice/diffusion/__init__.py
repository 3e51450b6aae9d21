"""Diffusion: pictures and clips from text, and the small trained family that ships."""

import logging
import os

# diffusers imports torchao where that is installed (ExecuTorch brings it), which tells stderr of each CUDA library that
# is not there.
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)
