"""Muon beside Adam: matrices take orthogonalised momentum steps, everything else Adam's (Jordan et al. 2024).

Scaled so that a step has Adam's usual size (Liu et al. 2025), one learning rate serves both.
"""

from __future__ import annotations

from typing import Any

_A, _B, _C = 3.4445, -4.7750, 2.0315  # the quintic of Jordan et al.: five steps bring singular values near 1
_MOMENTUM, _SIZE = 0.95, 0.2


def orthogonalised(matrices: Any) -> Any:
    """Return matrices [..., m, n] with their singular values brought near 1, by five Newton-Schulz steps.

    The steps are polynomials in the small Gram matrix, so they run there, and the matrix is multiplied once at the end.
    """
    import torch

    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    gram = x @ x.mT
    size = gram.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    gram = gram / (size + 1e-12)
    eye = torch.eye(gram.shape[-1])
    product = eye / (size.sqrt() + 1e-7)
    for _ in range(5):
        turn = _A * eye + _B * gram + _C * gram @ gram
        product, gram = turn @ product, turn @ gram @ turn
    x = product @ x
    return x.mT if tall else x


def is_matrix(weight: Any) -> bool:
    """Return whether a weight is a matrix or a convolution that is worth orthogonalising."""
    return bool(weight.ndim >= 2 and min(weight.shape[0], weight[0].numel()) >= 32)


def by_shape(weights: list[Any]) -> list[list[Any]]:
    """Return the weights in lists of equal shape: a GPU turns them together."""
    alike: dict[Any, list[Any]] = {}
    for weight in weights:
        alike.setdefault(weight.shape, []).append(weight)
    return list(alike.values())


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
            moved = [weight for weight in whole[1]["params"] if weight.grad is not None]
            for alike in by_shape(moved):
                self._turn(alike, whole[1]["lr"], whole[1]["weight_decay"])

        def _turn(self, alike: list[Any], rate: float, decay: float) -> None:
            kept = [self._momentum(weight) for weight in alike]
            grads = [weight.grad for weight in alike]
            torch._foreach_lerp_(kept, grads, 1 - _MOMENTUM)
            ahead = torch.stack(torch._foreach_lerp(grads, kept, _MOMENTUM)).flatten(2)
            turns = list(orthogonalised(ahead).unflatten(2, alike[0].shape[1:]).unbind())
            torch._foreach_mul_(alike, 1 - rate * decay)
            torch._foreach_add_(alike, turns, alpha=-rate * _SIZE * max(ahead.shape[1:]) ** 0.5)

        def _momentum(self, weight: Any) -> Any:
            state = self.state[weight]
            state.setdefault("step", torch.tensor(0.0))  # Adam's loader looks for one in every state
            return state.setdefault("momentum", torch.zeros_like(weight))

    return Muon()
