"""A LitServe server of the same model, for benchmarks/service.py. It needs litserve, onnxruntime and pillow.

python litserve_server.py MODEL PORT WORKERS BATCH
"""

import base64
import io
import sys

import litserve
import numpy
import onnxruntime
from PIL import Image


class Digits(litserve.LitAPI):
    """Decodes a PNG in base64, and answers with the digit and the ten probabilities."""

    def setup(self, device):
        """Load the model, for one thread."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])

    def decode_request(self, request):
        """Return the pixels, uint8 (28, 28)."""
        return numpy.asarray(Image.open(io.BytesIO(base64.b64decode(request["image"]))))

    def predict(self, image):
        """Return the probabilities of one image, or of a batch (N, 28, 28)."""
        batch = image if image.ndim == 3 else image[None]
        return self.session.run(["probabilities"], {"images": batch})[0]

    def encode_response(self, output):
        """Return the fields of the answer."""
        shares = output.reshape(-1)
        return {"digit": int(shares.argmax()), "probabilities": shares.tolist()}


if __name__ == "__main__":
    workers, batch = int(sys.argv[3]), int(sys.argv[4])
    api = Digits(max_batch_size=batch, batch_timeout=0.002 if batch > 1 else 0.0)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=workers)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="error", generate_client_file=False)
