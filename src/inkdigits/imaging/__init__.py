"""Pixels only: numpy and OpenCV, no PyTorch."""
