"""Train beside a person's own work: use every core while they are free, give way when they are wanted.

After Singapuram et al., *Swan* (arXiv 2206.04687) and *Flamingo* (DistributedML 2023): profile a few ways to run, drop
those no reason speaks for, run the best, notice interference by what it does to the training itself, step down, and
try again later. Nothing here was run on a phone.
"""

from suffice.federated.pace.choice import Choice, all_choices
from suffice.federated.pace.command import PaceReport, pace_command
from suffice.federated.pace.controller import Controller
from suffice.federated.pace.inside import paced
from suffice.federated.pace.profile import Profile, prune
from suffice.federated.pace.steps import step
from suffice.federated.pace.strain import strained
from suffice.federated.pace.supervise import Terms, Timing

__all__ = [
    "Choice",
    "Controller",
    "PaceReport",
    "Profile",
    "Terms",
    "Timing",
    "all_choices",
    "pace_command",
    "paced",
    "prune",
    "step",
    "strained",
]
