"""From a run to files that others use: ONNX with calibration and refusal inside, a folder in Hugging Face's form."""

from inkdigits.exporting.onnx_file import Exported, export

__all__ = ["Exported", "export"]
