"""The other side of `epoch`: a plain eager PyTorch loop. Needs torch alone; prints seconds per epoch."""

import functools
import itertools
import operator
import sys
import time

import torch
from torch import nn

MEMBERS, BATCH = 4, 128


class BatchEnsembleLinear(nn.Module):
    """y = ((x * r) W) * s + b for x [m, b, i]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) / inputs**0.5)
        self.r = nn.Parameter(1 + 0.5 * torch.randn(MEMBERS, 1, inputs))
        self.s = nn.Parameter(1 + 0.5 * torch.randn(MEMBERS, 1, outputs))
        self.bias = nn.Parameter(torch.zeros(MEMBERS, 1, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x * self.r) @ self.weight) * self.s + self.bias


def main() -> None:
    num_images = int(sys.argv[1])
    images = torch.randint(0, 256, (num_images, 784), dtype=torch.uint8)
    labels = torch.randint(0, 10, (num_images,))
    sizes = (784, 64, 32, 16)
    hidden = [[BatchEnsembleLinear(i, o), nn.ReLU(), nn.Dropout(0.05)] for i, o in itertools.pairwise(sizes)]
    network = nn.Sequential(*functools.reduce(operator.iadd, hidden, []), BatchEnsembleLinear(16, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4)
    for _ in sys.stdin:
        start = time.perf_counter()
        order = torch.randperm(num_images)
        for step in range(num_images // BATCH):
            rows = order[step * BATCH : (step + 1) * BATCH]
            x = (images[rows].float() / 255 - 0.1307) / 0.3081
            optimizer.zero_grad()
            logits = network(x.expand(MEMBERS, BATCH, 784))
            loss = nn.functional.cross_entropy(logits.reshape(-1, 10), labels[rows].repeat(MEMBERS), reduction="sum")
            (loss / BATCH).backward()
            optimizer.step()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
