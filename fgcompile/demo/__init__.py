"""The demo: real networks with trained weights, compiled, verified and explained on real images."""
