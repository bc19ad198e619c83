"""What others use: a run as ONNX or for a model hub, and the page that reads without a server."""
