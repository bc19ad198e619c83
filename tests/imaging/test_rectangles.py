"""Rectangles that lines enclose are found at any angle; round holes and small ones are not."""

import cv2
import numpy as np

from inkdigits.imaging.rectangles import find_rectangles


def test_rectangles_are_found_at_an_angle_and_rings_are_not() -> None:
    mask = np.zeros((300, 400), np.uint8)
    cv2.rectangle(mask, (50, 60), (150, 100), 255, 2)
    cv2.circle(mask, (300, 80), 40, 255, 3)
    cv2.rectangle(mask, (20, 20), (28, 28), 255, 1)
    (level,) = find_rectangles(mask, 12)
    assert np.abs(level - [(51, 61), (149, 61), (149, 99), (51, 99)]).max() < 3
    turn = cv2.getRotationMatrix2D((200, 150), 7, 1.0)
    turned = np.asarray((cv2.warpAffine(mask, turn, (400, 300)) > 90) * np.uint8(255), np.uint8)
    (found,) = find_rectangles(turned, 12)
    assert np.abs(found - (level @ turn[:, :2].T + turn[:, 2])).max() < 3
