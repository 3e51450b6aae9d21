"""Networks that take clicks, boxes and masks: SAM and what came after it, from checkpoints or ONNX graphs."""
