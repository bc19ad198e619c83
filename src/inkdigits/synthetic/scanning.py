"""How a scanner or a camera sees a made line: each step takes and returns brightness (H, W), 0 to 1.

Every step also takes the height of a digit in pixels, to which its lengths are relative, and a random generator.
"""

from collections.abc import Callable

import cv2
import numpy as np

from inkdigits.synthetic.papers import Layer, as_layer, draw_amount


def blur(image: Layer, digit: float, rng: np.random.Generator) -> Layer:
    """Smooth by up to 5 % of a digit's height, at times more in one direction."""
    along, across = (
        digit * rng.uniform(0.005, 0.05, 2) if rng.random() < 0.4 else np.full(2, digit * rng.uniform(0.005, 0.045))
    )
    return as_layer(cv2.GaussianBlur(image, (0, 0), max(0.2, along), sigmaY=max(0.2, across)))


def sharpen(image: Layer, digit: float, rng: np.random.Generator) -> Layer:
    """Sharpen as scanners do: with a bright rim around dark strokes."""
    soft = cv2.GaussianBlur(image, (0, 0), max(0.6, digit * rng.uniform(0.03, 0.08)))
    return image + np.float32(rng.uniform(0.3, 1.5)) * (image - soft)


def coarse(image: Layer, digit: float, rng: np.random.Generator) -> Layer:
    """Scan at a low resolution: a digit is 9 to 20 pixels high, then enlarged again."""
    scale = min(1.0, rng.uniform(9, 20) / digit)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    way = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
    return as_layer(cv2.resize(small, image.shape[::-1], interpolation=way))


def sensor_noise(image: Layer, digit: float, rng: np.random.Generator) -> Layer:
    """Add noise of the sensor, and at times some pixels of any brightness."""
    noisy = image + rng.standard_normal(image.shape, dtype=np.float32) * np.float32(draw_amount(rng, 0.005, 0.07))
    if rng.random() < 0.1:
        noisy = np.where(rng.random(image.shape, dtype=np.float32) < rng.uniform(0.002, 0.04), rng.random(), noisy)
    return noisy.astype(np.float32)


def tone(image: Layer, digit: float, rng: np.random.Generator) -> Layer:
    """Change brightness, contrast and gamma."""
    curved = np.clip(image, 0, 1) ** np.float32(rng.uniform(0.6, 1.6))
    return curved * np.float32(rng.uniform(0.5, 1.1)) + np.float32(rng.uniform(-0.05, 0.25))


def binarized(image: Layer, digit: float, rng: np.random.Generator) -> Layer:
    """Make it black and white, by one threshold (Otsu's, moved a little) or by local means."""
    grey = np.clip(image * 255, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        white = grey > level + rng.normal(0, 12)
    else:
        mean = cv2.blur(grey, (max(3, round(digit) | 1),) * 2).astype(np.float32)
        white = grey > mean * rng.uniform(0.75, 0.92)
    return white.astype(np.float32)


def jpeg(image: Layer, digit: float, rng: np.random.Generator) -> Layer:
    """Store it as JPEG of quality 12 to 90."""
    grey = np.clip(image * 255, 0, 255).astype(np.uint8)
    _, stored = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 90))])
    restored = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE)
    return as_layer(image if restored is None else restored / 255)


Scan = Callable[[Layer, float, np.random.Generator], Layer]
SCANNING: tuple[tuple[Scan, float], ...] = (  # in this order, and how often
    *((blur, 0.8), (coarse, 0.2), (sharpen, 0.3), (sensor_noise, 0.4), (tone, 0.6), (binarized, 0.08), (jpeg, 0.4)),
)
