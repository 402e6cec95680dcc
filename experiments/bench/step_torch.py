"""The other side of `step`: torch-uncertainty's ResNet-18 and batched ResNet-18. Prints seconds per training step."""

import sys
import time

import torch
from torch_uncertainty.models.classification import batched_resnet, resnet

MEMBERS, IMAGES = 4, 32


def main() -> None:
    common = {"in_channels": 3, "num_classes": 10, "arch": 18, "style": "cifar", "conv_bias": False}
    networks = {"single": resnet(**common), "batch_ensemble": batched_resnet(num_estimators=MEMBERS, **common)}
    optimizers = {
        name: torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
        for name, network in networks.items()
    }
    repeats = {"single": 1, "batch_ensemble": MEMBERS}
    labels = torch.randint(0, 10, (MEMBERS * IMAGES,))
    for line in sys.stdin:
        name, steps = line.split()
        images = torch.randn(MEMBERS * IMAGES // repeats[name], 3, 32, 32)
        start = time.perf_counter()
        for _ in range(int(steps)):
            optimizers[name].zero_grad()
            loss = torch.nn.functional.cross_entropy(networks[name](images.repeat(repeats[name], 1, 1, 1)), labels)
            loss.backward()
            optimizers[name].step()
        print((time.perf_counter() - start) / int(steps), flush=True)


if __name__ == "__main__":
    main()
