"""What a worker process does; importing it does the heavy imports, once for all of them."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import diffusers.models.unets.unet_2d_condition
import torch

import suffice.regional.workers.worker as worker

SWITCH_S = 1e-4  # what others send is taken in on threads: in a step in sync each layer waits for them


def main(line: Any, recipe: Any, device: str | None, threads: int) -> None:
    """Load the networks and serve until told to stop. Ctrl-C is the planner's business."""
    from suffice.regional.model import load_networks

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_S)
    torch.set_num_threads(threads)
    worker.serve(load_networks(recipe, device), line, os.getpid())


__all__ = ["diffusers", "main"]
