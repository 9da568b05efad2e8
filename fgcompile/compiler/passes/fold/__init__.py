"""Stage 4: what of a biased program folds into its layers."""
