"""The MAE wing: a masked autoencoder, its data, training and tests; the only room with torch."""
