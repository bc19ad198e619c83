"""Time and memory of training: ``make bench`` runs this and writes lab.json beside it, in minutes on two cores.

Every ratio comes from one run on one machine. The reference is the network and the training loop of PyTorch's MNIST
example: two unpadded 3x3 convolutions of 32 and 64 channels, pooling, 128 units, dropout; batches of 64, Adadelta with
a rate that is multiplied by 0.7 per epoch, and one digit at a time from the data set through an image and its
transforms. It is rewritten here and trained until the first epoch with 99 % test accuracy.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from inkdigits.data import Dataset, DigitSet, load
from inkdigits.models.registry import MEAN, STD, model_spec
from inkdigits.training.device import hardware, keep_freed_memory, versions
from inkdigits.training.digit_task import DigitTask
from inkdigits.training.inference import to_input
from inkdigits.training.recipe import recipe_for
from inkdigits.training.trainer import NoProgress, Trainer
from inkdigits.training.training_data import make_training_data

REFERENCE_TARGET, REFERENCE_EPOCHS = 0.99, 14  # the target accuracy, and the epochs of the example
STEPS = 150


class OneByOne(TorchDataset[tuple[Tensor, int]]):
    """Digits that are converted to an image and normalised one at a time, like a data set with transforms."""

    def __init__(self, digits: DigitSet) -> None:
        self.digits = digits

    def __len__(self) -> int:
        return len(self.digits)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.digits.images[index])
        image = torch.from_numpy(np.array(picture)).unsqueeze(0).float().div(255)
        return (image - MEAN) / STD, int(self.digits.labels[index])


class Reference(nn.Module):
    """The example's network."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        """Return log-probabilities (B, 10)."""
        x = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(images)))), 2)  # (B, 64, 12, 12)
        x = F.relu(self.fc1(self.dropout1(x).flatten(1)))  # (B, 128)
        return F.log_softmax(self.fc2(self.dropout2(x)), dim=1)


def reference_to_target(data: Dataset) -> dict[str, Any]:
    """Train the reference until an epoch reaches the target; return seconds of training, and accuracy per epoch."""
    torch.manual_seed(1)
    model = Reference()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    test = to_input(torch.tensor(data.test.images)).sub(MEAN).div(STD)
    truth = torch.tensor(data.test.labels)
    seconds, accuracies = 0.0, []
    for _ in range(REFERENCE_EPOCHS):
        start = time.perf_counter()
        model.train()
        for images, labels in DataLoader(OneByOne(data.train), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            F.nll_loss(model(images), labels).backward()
            optimizer.step()
        schedule.step()
        seconds += time.perf_counter() - start
        model.eval()
        with torch.inference_mode():
            batches = zip(test.split(1000), truth.split(1000), strict=True)
            correct = sum(int((model(x).argmax(1) == y).sum()) for x, y in batches)
        accuracies.append(correct / len(truth))
        print(
            f"the reference, epoch {len(accuracies)}: {100 * accuracies[-1]:.2f} %, {seconds:.0f} s so far", flush=True
        )
        if accuracies[-1] >= REFERENCE_TARGET:
            break
    return {"seconds": seconds, "epochs": len(accuracies), "accuracies": accuracies}


def fast_preset(seeds: int) -> dict[str, float]:
    """Run `inkdigits train cnn --preset fast` in new processes; seconds are from start to exit."""
    seconds, accuracies = [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            command = ["train", "cnn", "--preset", "fast", "--validation", "0", "--seed", str(seed), "--json"]
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "inkdigits.cli", *command, "--out", f"{folder}/run"],
                capture_output=True,
                check=True,
            )
            seconds.append(time.perf_counter() - start)
            accuracies.append(json.loads(done.stdout)["metrics"]["test_acc"])
    return {
        "seeds": seeds,
        "mean_accuracy": statistics.mean(accuracies),
        "lowest_accuracy": min(accuracies),
        "median_s": statistics.median(seconds),
        "fastest_s": min(seconds),
    }


def loop_overhead(data: Dataset) -> float:
    """Return the share of a training epoch of `cnn` spent outside forward, backward and optimizer, batch 128."""
    recipe, options = recipe_for("cnn", "standard", {"augment": "none", "ema": 0.0, "batch_size": 128})
    part = data.train.split(128 * STEPS, seed=0)[1]
    device = torch.device("cpu")
    training_data = make_training_data(part, recipe, 0, device, None)
    task = DigitTask(model_spec("cnn"), recipe, training_data, device)
    trainer = Trainer({"model": "cnn", "options": options, "seed": 0}, recipe, task, device)
    images, labels = to_input(training_data.images[0, :128]), training_data.labels[:128]
    shares = []
    for epoch in range(1, 8):
        start = time.perf_counter()
        trainer.train_epoch(epoch, NoProgress())
        whole = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(STEPS):
            loss = F.cross_entropy(trainer.model(images), labels)
            trainer.optimizer.zero_grad()
            loss.backward()
            trainer.optimizer.step()
        shares.append(1 - (time.perf_counter() - start) / whole)
    return statistics.median(shares[1:])


def peak_memory_mb() -> float:
    """Return the peak memory of training `cnn` on the whole of MNIST, in MB."""
    code = (
        "import resource, inkdigits; inkdigits.train('cnn', epochs=1, augment='geometric');"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def quick_comparison_seconds() -> float:
    """Return the seconds of `inkdigits compare --quick` with every network on mnist-5k."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = ["compare", "--quick", "--data", "mnist-5k", "--out", f"{folder}/compare"]
        subprocess.run([sys.executable, "-m", "inkdigits.cli", *command], capture_output=True, check=True)
        return time.perf_counter() - start


def main() -> None:
    """Measure, print, and write lab.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="of the fast preset")
    arguments = parser.parse_args()
    data = load("mnist")
    if data.name != "mnist":
        sys.exit("the benchmarks need the whole of MNIST: inkdigits data fetch mnist")
    keep_freed_memory()
    fast = fast_preset(arguments.seeds)
    print(
        f"cnn --preset fast: {100 * fast['mean_accuracy']:.2f} % (mean of {fast['seeds']}, lowest "
        f"{100 * fast['lowest_accuracy']:.2f}), start to exit {fast['median_s']:.1f} s "
        f"(fastest {fast['fastest_s']:.1f})"
    )
    reference = reference_to_target(data)
    ratio = reference["seconds"] / fast["median_s"]
    reached = "to 99 %" if reference["accuracies"][-1] >= REFERENCE_TARGET else "without reaching 99 %"
    print(f"the reference: {reference['epochs']} epochs, {reference['seconds']:.0f} s {reached}: {ratio:.0f} x as long")
    overhead = loop_overhead(data)
    print(f"training loop outside forward, backward and optimizer: {100 * overhead:.1f} %")
    memory = peak_memory_mb()
    print(f"peak memory of training cnn: {memory:.0f} MB")
    comparison = quick_comparison_seconds()
    print(f"compare --quick on mnist-5k, every network: {comparison:.0f} s")
    results = {
        "fast_preset": fast,
        "reference": reference,
        "reference_over_fast": ratio,
        "loop_overhead": overhead,
        "peak_memory_mb": memory,
        "quick_comparison_s": comparison,
        "hardware": hardware(torch.device("cpu")),
        "versions": versions(),
    }
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(results, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    main()
