"""The uncertainty of one PyTorch model, from gradients of its forces by its weights."""
