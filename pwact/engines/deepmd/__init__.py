"""DeePMD-kit with its TensorFlow and its PyTorch backend."""
