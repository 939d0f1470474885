"""MACE: equivariant networks of many-body messages, several of them pretrained."""
