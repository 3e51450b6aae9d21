"""Muon beside Adam: matrices take orthogonalised momentum steps, everything else Adam's (Jordan et al. 2024).

Scaled so that a step has Adam's usual size (Liu et al. 2025), one learning rate serves both.
"""

from __future__ import annotations

from typing import Any

_A, _B, _C = 3.4445, -4.7750, 2.0315  # the quintic of Jordan et al.: five steps bring singular values near 1
_MOMENTUM, _SIZE = 0.95, 0.2


def orthogonalised(matrix: Any) -> Any:
    """Return the matrix with its singular values brought near 1, by five Newton-Schulz steps.

    The steps are polynomials in the small Gram matrix, so they run there, and the matrix is multiplied once at the end.
    """
    import torch

    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    gram = x @ x.T
    gram = gram / (gram.trace() + 1e-12)
    eye, product = torch.eye(len(gram)), 1 / (x.norm() + 1e-7)
    for _ in range(5):
        turn = _A * eye + _B * gram + _C * gram @ gram
        product = turn @ product if product.ndim else turn * product
        gram = turn @ gram @ turn
    x = product @ x
    return x.T if tall else x


def is_matrix(weight: Any) -> bool:
    """Return whether a weight is a matrix or a convolution that is worth orthogonalising."""
    return bool(weight.ndim >= 2 and min(weight.shape[0], weight[0].numel()) >= 32)


def muon(weights: list[Any], rate: float, decay: float) -> Any:
    """Return an optimiser of `weights`: Muon for matrices and convolutions, Adam for the rest."""
    import torch

    on_gpu = weights[0].is_cuda  # else Adam asks the GPU for each weight's step

    class Muon(torch.optim.AdamW):  # type: ignore[misc]
        """Adam's optimiser over the small weights, which also keeps a momentum for each matrix."""

        param_groups: list[dict[str, Any]]

        def __init__(self) -> None:
            small = [weight for weight in weights if not is_matrix(weight)]
            super().__init__(small, lr=rate, weight_decay=decay, betas=(0.9, 0.99), foreach=True, capturable=on_gpu)
            self.add_param_group({"params": [weight for weight in weights if is_matrix(weight)], "muon": True})

        @torch.no_grad()  # type: ignore[untyped-decorator]
        def step(self, closure: Any = None) -> None:
            whole = self.param_groups
            self.param_groups = whole[:1]
            super().step(closure)
            self.param_groups = whole
            for weight in whole[1]["params"]:
                if weight.grad is not None:
                    self._turn(weight, whole[1]["lr"], whole[1]["weight_decay"])

        def _turn(self, weight: Any, rate: float, decay: float) -> None:
            state = self.state[weight]
            state.setdefault("step", torch.tensor(0.0))  # Adam's loader looks for one in every state
            kept = state.setdefault("momentum", torch.zeros_like(weight))
            kept.lerp_(weight.grad, 1 - _MOMENTUM)
            ahead = weight.grad.lerp(kept, _MOMENTUM).flatten(1)
            turn = orthogonalised(ahead).reshape(weight.shape)
            weight.mul_(1 - rate * decay).add_(turn, alpha=-rate * _SIZE * max(ahead.shape) ** 0.5)

    return Muon()
