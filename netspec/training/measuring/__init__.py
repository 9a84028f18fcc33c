"""From logits and targets to losses, figures and the samples a net does worst on."""
