"""Degradations of a batch of digits: random flaws of pen, paper, light and lens, clutter and occlusion.

They are general, and separate from the corruptions that robustness is measured with: none of them uses a function of
``inkdigits.synthetic.corruptions``, and the packages that train must not import it. Every function takes float32 images
(B, 1, H, W) in [0, 1], and ``draw``, which returns uniform random numbers in [0, 1) of shape (B, *shape). It returns
images of the same shape, not yet clipped to [0, 1].
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Draw = Callable[..., Tensor]
Degrade = Callable[[Tensor, Draw], Tensor]


def pen(x: Tensor, draw: Draw) -> Tensor:
    """Widen the strokes towards the maximum of 3x3 or 5x5 pixels, or thin them towards the minimum of 3x3."""
    wide, fine = F.max_pool2d(x, 3, 1, 1), -F.max_pool2d(-x, 3, 1, 1)
    wider = torch.lerp(wide, F.max_pool2d(wide, 3, 1, 1), draw(1, 1, 1) * (draw(1, 1, 1) < 0.5))
    return torch.lerp(x, torch.where(draw(1, 1, 1) < 0.5, wider, fine), draw(1, 1, 1))


def hollow(x: Tensor, draw: Draw) -> Tensor:
    """Remove ink inside the strokes and leave their outline, like a dry felt pen or a photocopy."""
    wide, fine = F.max_pool2d(x, 3, 1, 1), -F.max_pool2d(-x, 3, 1, 1)
    outside = draw(1, 1, 1) < 0.5
    return torch.where(outside, wide, x) - draw(1, 1, 1).sqrt() * torch.where(outside, x, fine)


def gaps(x: Tensor, draw: Draw) -> Tensor:
    """Cut up to three round gaps of radius 0.5 to 2.5 pixels into the strokes, as a lifted pen does."""
    _, _, height, width = x.shape
    row, column = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    for chance in (1.0, 0.5, 0.25):
        spot = ((x > 0.5) * draw(1, height, width)).flatten(1).argmax(1).view(-1, 1, 1, 1)
        square = (row[:, None] - spot // width) ** 2 + (column - spot % width) ** 2  # (B, 1, H, W)
        radius = 0.5 + 2 * draw(1, 1, 1)
        x = torch.where((square <= radius**2) & (draw(1, 1, 1) < chance), 0.0, x)
    return x


def blur(x: Tensor, draw: Draw) -> Tensor:
    """Blur with a Gaussian in a random direction; the widths along and across it are 0.3 to 2.5 pixels."""
    count, _, height, width = x.shape
    offset = torch.arange(-4.0, 5.0, device=x.device)
    angle, (along, across) = math.pi * draw(1, 1), (0.3 + 2.2 * draw(2, 1, 1) ** 2).unbind(1)
    u = offset[None] * angle.cos() + offset[:, None] * angle.sin()  # (B, 9, 9)
    v = offset[:, None] * angle.cos() - offset[None] * angle.sin()
    kernel = torch.exp(-((u / along) ** 2 + (v / across) ** 2) / 2)
    kernel = (kernel / kernel.sum((1, 2), keepdim=True)).unsqueeze(1)  # (B, 1, 9, 9)
    return F.conv2d(x.view(1, count, height, width), kernel, padding=4, groups=count).view_as(x)


def clutter(x: Tensor, draw: Draw) -> Tensor:
    """Draw up to four arcs across or beside the digit, each of its own intensity and width, some wavy, some dashed."""
    _, _, height, width = x.shape
    row, column = torch.meshgrid(
        torch.linspace(-1, 1, height, device=x.device), torch.linspace(-1, 1, width, device=x.device), indexing="ij"
    )
    for _ in range(4):
        angle, place, bow, ink, breadth, dash, wave, pace = draw(8, 1, 1).unbind(1)
        angle = angle * math.pi
        along = column * angle.cos() + row * angle.sin()  # (B, H, W)
        across = row * angle.cos() - column * angle.sin()
        sway = 0.4 * (wave - 0.5).clamp(min=0) * torch.sin(along * (5 + 15 * pace) + 6 * ink)
        distance = (across - (2 * place - 1) - (2 * bow - 1) * along**2 - sway).abs() * height / 2  # pixels
        stroke = (0.5 + breadth - distance).clamp(0, 1) * ink.sqrt()
        stroke = stroke * torch.where(dash < 0.3, (torch.sin(along * 20) > 0).to(x.dtype), 1.0)
        x = torch.maximum(x, (stroke * (draw(1, 1) < 0.5)).unsqueeze(1))
    return x


def neighbour(x: Tensor, draw: Draw) -> Tensor:
    """Add another digit of the batch at the left or the right, 14 to 22 pixels away."""
    width = x.shape[3]
    row = torch.cat([x.roll(1, 0), torch.zeros_like(x), x.roll(2, 0)], 3)  # (B, 1, H, 3 W)
    away = (draw(1, 1, 1) < 0.5) * 2 - 1  # right or left
    start = width + away * (width - 14 - (draw(1, 1, 1) * 9).long())
    return torch.maximum(x, row.gather(3, (start + torch.arange(width, device=x.device)).expand_as(x)))


def occlusion(x: Tensor, draw: Draw) -> Tensor:
    """Cover a rectangle of up to 10x10 pixels with one grey level."""
    return torch.where(_rectangle(x, draw, 10), draw(1, 1, 1), x)


def resolution(x: Tensor, draw: Draw) -> Tensor:
    """Mix with a scan of 8 to 20 pixels a side; the side is the same for the whole batch."""
    side = 8 + int(draw(1)[:1].item() * 13)
    coarse = F.interpolate(F.adaptive_avg_pool2d(x, side), x.shape[2:], mode="bilinear", align_corners=False)
    return torch.lerp(x, coarse, draw(1, 1, 1).sqrt())


def threshold(x: Tensor, draw: Draw) -> Tensor:
    """Increase the contrast around a random level, from slightly steeper up to black and white, like a fax."""
    level = (0.15 + 0.6 * draw(1, 1, 1)) * x.amax((1, 2, 3), keepdim=True)
    return (0.5 + (x - level) / (0.02 + 0.6 * draw(1, 1, 1) ** 2)).clamp(0, 1)


def background(x: Tensor, draw: Draw) -> Tensor:
    """Add a cloudy grey background, drawn on a grid of 2x2 to 7x7."""
    cells = 2 + int(draw(1)[:1].item() * 6)
    cloud = F.interpolate(draw(1, cells, cells), x.shape[2:], mode="bilinear", align_corners=True)
    return torch.maximum(x, cloud * draw(1, 1, 1) * 0.8)


def contrast(x: Tensor, draw: Draw) -> Tensor:
    """Reduce the contrast to 20 to 100 %, around a random grey level."""
    left = 0.2 + 0.8 * draw(1, 1, 1)
    return x * left + (1 - left) * draw(1, 1, 1)


def inversion(x: Tensor, draw: Draw) -> Tensor:
    """Invert ink and paper inside or outside a band of any direction, or in a rectangle; sometimes twice."""
    _, _, height, width = x.shape
    row, column = torch.meshgrid(
        torch.linspace(-1, 1, height, device=x.device), torch.linspace(-1, 1, width, device=x.device), indexing="ij"
    )
    for chance in (1.0, 0.3):
        angle, place, breadth = math.pi * draw(1, 1, 1), 2 * draw(1, 1, 1) - 1, draw(1, 1, 1)
        band = (column * angle.cos() + row * angle.sin() - place).abs() < breadth
        band = band ^ (draw(1, 1, 1) < 0.5)
        part = torch.where(draw(1, 1, 1) < 0.7, band, _rectangle(x, draw, 20)) & (draw(1, 1, 1) < chance)
        x = torch.where(part, 1 - x, x)
    return x


def noise(x: Tensor, draw: Draw) -> Tensor:
    """Add noise of standard deviation up to 0.35; replace up to a fifth of the pixels by random values."""
    shape = x.shape[1:]
    uniform = draw(*shape) + draw(*shape) + draw(*shape) - 1.5  # nearly Gaussian, of standard deviation 0.5
    x = x + uniform * 0.7 * draw(1, 1, 1) ** 2
    return torch.where(draw(*shape) < 0.2 * draw(1, 1, 1) ** 2, draw(*shape), x)


def _rectangle(x: Tensor, draw: Draw, largest: int) -> Tensor:
    """Return a random rectangle for each image, with sides of up to ``largest`` pixels, as a mask (B, 1, H, W)."""
    _, _, height, width = x.shape
    row, column = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    top, left, tall, broad = draw(4, 1, 1, 1).unbind(1)
    down, right = row[:, None] - top * height, column - left * width  # (B, 1, H, 1), (B, 1, 1, W)
    return (down >= 0) & (down < tall * largest) & (right >= 0) & (right < broad * largest)


# in the order in which they are applied
DEGRADATIONS = (
    *(pen, hollow, gaps, neighbour, blur, resolution, clutter, occlusion, threshold),
    *(background, contrast, inversion, noise),
)
