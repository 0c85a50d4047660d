"""The shop: catalogue, orders and back office."""
