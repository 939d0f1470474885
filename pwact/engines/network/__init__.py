"""What the trainers of pretrained networks have in common; each has its room beside this one."""
