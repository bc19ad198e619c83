"""Where the degradation ``neighbour`` puts the digit that it lets reach in."""

import torch

from inkdigits.data.degrade import neighbour


def test_a_neighbour_stands_14_to_22_pixels_to_the_left_or_right() -> None:
    """Every third image is blank; the others hold their column's number, which tells how far they were moved."""
    numbered = (torch.arange(28) + 1.0).expand(1, 28, 28)
    batch = torch.stack([torch.zeros(1, 28, 28), numbered, numbered]).repeat(600, 1, 1, 1) / 28
    generator = torch.Generator().manual_seed(0)
    out = neighbour(batch, lambda *shape: torch.rand(len(batch), *shape, generator=generator))
    assert torch.equal(out.maximum(batch), out)  # ink stays
    moved = []
    for row in out[::3, 0, 10]:
        columns = row.nonzero().flatten()
        away = columns - (row[columns] * 28 - 1).round().long()
        assert len(away.unique()) == 1
        moved.append(int(away[0]))
    assert {abs(pixels) for pixels in moved} == set(range(14, 23))
    assert 0.4 < sum(pixels > 0 for pixels in moved) / len(moved) < 0.6
