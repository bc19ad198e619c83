"""Exports: a run as an ONNX file or a folder for a model hub, and the web page that works without a server."""
