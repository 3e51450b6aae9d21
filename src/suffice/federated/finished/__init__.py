"""What is left of a run: its model, a page about it, and the model as a function in SQL."""

from suffice.federated.finished.page import run_page
from suffice.federated.finished.save import FinishedRun, load_run, save_run

__all__ = ["FinishedRun", "load_run", "run_page", "save_run"]
